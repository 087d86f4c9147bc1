/** What a stack is for decides how hard it is to lose: protection, retention and destroy rules follow the profile. */

export const profiles = ["dev", "staging", "prod"] as const;

export type Profile = (typeof profiles)[number];

export interface ProfileRules {
  /** `pulumi destroy` and slips of the hand are stopped at what holds data or traffic. */
  protect: boolean;
  /** Logs are kept, days. */
  logDays: number;
  /** Daily snapshots of the cache are kept, days. */
  snapshotDays: number;
  /** A deleted secret can be brought back, days; 0 frees its name at once. */
  secretRecoveryDays: number;
  /** A stopping server keeps its open streams, seconds. */
  deregistrationSeconds: number;
  /** The VPC's flow logs are recorded: about $0.50 a GB. */
  flowLogs: boolean;
}

export const rulesOf: Record<Profile, ProfileRules> = {
  dev: {
    protect: false,
    logDays: 7,
    snapshotDays: 0,
    secretRecoveryDays: 0,
    deregistrationSeconds: 10,
    flowLogs: false,
  },
  staging: {
    protect: true,
    logDays: 30,
    snapshotDays: 1,
    secretRecoveryDays: 7,
    deregistrationSeconds: 60,
    flowLogs: true,
  },
  prod: {
    protect: true,
    logDays: 365,
    snapshotDays: 7,
    secretRecoveryDays: 30,
    deregistrationSeconds: 60,
    flowLogs: true,
  },
};
