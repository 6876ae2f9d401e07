// Prints what the AsyncAPI parser has to say about the document on stdin, as JSON; nothing but diagnostics.
import { Parser } from "@asyncapi/parser";
import { readFileSync } from "node:fs";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const found = diagnostics.map(({ code, message, path, severity }) => ({ code, message, path, severity }));
console.log(JSON.stringify({ diagnostics: found, messages: document ? document.messages().all().length : 0 }));
