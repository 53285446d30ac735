// Scrapes a page by a clock that runs fast, and prints it as OpenMetrics with times, for promtool to make blocks of.
// Usage: node scrape.mjs URL FIRST BEGAN SPEED SECONDS-APART FROM TO
// BEGAN on the wall stands for FIRST; both are Unix times. FROM and TO are seconds after FIRST.
import { once } from "node:events";

const [url, ...numbers] = process.argv.slice(2);
const [first, began, speed, apart, from, to] = numbers.map(Number);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const labels = 'job="castmeter",instance="castmeter:9310"';

for (let at = from; at <= to; at += apart) {
  await pause(Math.max(0, (began + at / speed) * 1000 - Date.now()));
  const page = await (await fetch(url)).text();
  const samples = page.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
    let [, name, own, value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    // The system tells this one, and its clock is the one on the wall.
    if (name === "process_start_time_seconds") value = first + (value - began) * speed;
    return `${name}{${own ? `${own},` : ""}${labels}} ${value} ${first + at}\n`;
  });
  if (!process.stdout.write(samples.join(""))) await once(process.stdout, "drain");
}
process.stdout.write("# EOF\n");
