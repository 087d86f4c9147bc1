/** Tests of the app log in as it does on AWS, so that no test passes on a right that the deployed user lacks. */
import { Redis } from "ioredis";

/** As `infra` makes the app's user. */
const RULES = "on ~{sw:* ~sw:* &{sw:* &sw:* +@all -@dangerous +info +role".split(" ");

/** As `--user` takes it, for a Redis that must know the app from its first moment on. */
export const APP_USER = ["app", ...RULES, ">app-password"];

/** @param url of a Redis whose default user may do everything @returns the address with the app's login */
export async function asApp(url: string): Promise<string> {
  const admin = new Redis(url);
  await admin.call("ACL", "SETUSER", ...APP_USER);
  admin.disconnect();
  const login = new URL(url);
  login.username = "app";
  login.password = "app-password";
  return login.href;
}
