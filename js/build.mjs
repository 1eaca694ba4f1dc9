// Bundles src/ into ../draggan_widget/widget/static/. With --check it writes nothing: the committed bundle must equal a fresh one.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const LIMIT = 60 * 1024; // bytes; the bundle travels with every instance of the widget
const here = fileURLToPath(new URL(".", import.meta.url));
const out = fileURLToPath(new URL("../draggan_widget/widget/static/", import.meta.url));
const checking = process.argv.includes("--check");

async function bundle(entry) {
  const result = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: ["es2022", "chrome111", "firefox113", "safari16.4"],
    minify: true,
    charset: "utf8",
    legalComments: "none",
    define: { "define.amd": "false" }, // a page with RequireJS must not catch the bundle
    logLevel: "warning",
  });
  return result.outputFiles[0].contents;
}

const files = {
  "widget.js": await bundle("src/index.ts"),
  "widget.css": await bundle("src/widget.css"),
  "box.js": await bundle("src/box.ts"),
  "box.css": await bundle("src/box.css"),
};

let total = 0;
for (const [name, bytes] of Object.entries(files)) {
  total += bytes.length;
  console.log(`${name.padEnd(12)} ${(bytes.length / 1024).toFixed(1)} KB`);
  if (!checking) {
    await writeFile(out + name, bytes);
    continue;
  }
  const committed = await readFile(out + name).catch(() => Buffer.alloc(0));
  if (!committed.equals(bytes)) {
    console.error(`${name} differs from a fresh build; run: npm run build`);
    process.exitCode = 1;
  }
}
console.log(`${"together".padEnd(12)} ${(total / 1024).toFixed(1)} KB of ${LIMIT / 1024} KB`);
if (total > LIMIT) {
  console.error("the bundle is too large");
  process.exitCode = 1;
}
