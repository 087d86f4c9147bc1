/**
 * Whether Redis could not be asked, or could not answer now: no connection, a time-out, a change of role, no memory, no
 * disk, no replica, a password that is being changed. The names and messages are those of ioredis and of Redis's error
 * replies. Codes of sockets are left out: ioredis turns them into these, so one that reaches us is somebody else's.
 */
const NAMES = new Set(["MaxRetriesPerRequestError", "ClusterAllFailedError"]);
const MESSAGES = new RegExp(
  `^(${[
    "Connection is closed",
    "Command timed out",
    "Command aborted",
    "Socket timeout",
    "Stream isn't writeable",
    "Cluster is",
    "Node is disconnected",
    "None of startup nodes",
    "Too many Cluster redirections",
    "No (sharded )?subscriber for",
    "(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|UNBLOCKED|MISCONF|NOREPLICAS|NOAUTH|WRONGPASS)\\b",
  ].join("|")})`,
);

export function isAway(error: unknown): error is Error {
  return error instanceof Error && (NAMES.has(error.name) || MESSAGES.test(error.message));
}
