// Serves one page to tests/widget/front_end.py: one JSON request a line on stdin, one JSON answer a line on stdout.
// The sources are bundled afresh, with the doubles in place of the modules that need a DOM.

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const doubles = {
  name: "doubles",
  setup(bundle) {
    bundle.onResolve({ filter: /^\.\/(canvas|overlay|guide|panel|pointer|keys)$/ }, () => ({
      path: `${here}doubles.ts`,
    }));
  },
};
const { outputFiles } = await build({
  entryPoints: [`${here}page.ts`],
  bundle: true,
  write: false,
  format: "esm",
  plugins: [doubles],
  logLevel: "warning",
});
const { Page } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);

let page = null;

async function answer({ at, open, hear, buffers, act, look }) {
  if (open !== undefined) {
    page?.close();
    page = new Page(at, open);
  }
  await page.goTo(at);
  if (hear !== undefined) await page.hear(hear, buffers);
  if (act !== undefined) await page.act(act);
  const shows = look ? page.shows() : null;
  return { sent: page.takeSent(), next: page.next(), revision: page.revision(), shows };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
