// Judges [{schema, value}] from stdin by JSON Schema; prints a list of booleans.
import Ajv from "ajv";
import { readFileSync } from "node:fs";

const ajv = new Ajv({ strict: false, validateFormats: false });
const pairs = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(pairs.map(({ schema, value }) => ajv.compile(schema)(value))));
