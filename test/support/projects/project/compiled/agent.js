export { graph } from "../memory.mjs";
