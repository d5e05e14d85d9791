// The JavaScript library of OpenAI, unmodified and without retries of its own, asks without pause
// until its standard input ends. Whatever happens to the backends meanwhile, no call may fail, but
// those whose answer had begun when its backend was killed: nobody may ask a second time for these.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const { default: OpenAI } = createRequire(process.env.CLIENT_ROOT + "/")("openai");

const client = new OpenAI({
  apiKey: "vk-open",
  baseURL: process.env.BASE + "/v1",
  maxRetries: 0,
});
const ask = { model: "gpt-4o", messages: [{ role: "user", content: "Say hello." }] };
const workers = 8;
const kills = 3;
const served = new Map();
const failures = [];
let broken_off = 0;
let calls = 0;
let over = false;
process.stdin.on("end", () => (over = true));
process.stdin.resume();

async function worker() {
  while (!over) {
    calls += 1;
    try {
      const { data, response } = await client.chat.completions.create(ask).withResponse();
      assert.ok(data.choices[0].message.content.length > 0);
      const backend = response.headers.get("x-weir-backend");
      served.set(backend, (served.get(backend) ?? 0) + 1);
    } catch (error) {
      const is_broken_off = error.status === 502 && error.message.includes("broke off its answer");
      if (is_broken_off && broken_off++ < kills * workers) continue;
      failures.push(`${error.status ?? ""} ${error.message}`);
    }
  }
}

await Promise.all(Array.from({ length: workers }, worker));
const by = JSON.stringify(Object.fromEntries(served));
console.log(`${calls} calls, served by ${by}, ${broken_off} broken off`);
for (const failure of failures.slice(0, 5)) console.log(`FAILED: ${failure}`);
const all = ["a", "b", "c"].every((backend) => served.get(backend) > 0);
if (!all) console.log("FAILED: a backend that came back was not asked again");
process.exit(failures.length === 0 && all ? 0 : 1);
