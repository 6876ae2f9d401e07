// npm copies into the lock where a package asks for money and where its licence stands. A lock has hashes, no addresses.
import { readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const entry of Object.values(lock.packages)) {
  delete entry.funding;
  if (typeof entry.license !== "string") delete entry.license;
}
writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n");
