// Writes the two scripts of the page to the folder that is its argument.
import { build } from "esbuild";

await build({
  absWorkingDir: import.meta.dirname,
  entryPoints: ["notebook.js", "output.js"],
  bundle: true,
  format: "esm",
  outdir: process.argv[2],
  loader: { ".svg": "dataurl", ".woff": "dataurl", ".woff2": "dataurl", ".ttf": "dataurl", ".eot": "dataurl" },
  define: { "process.env.NODE_ENV": '"production"', "process.env": "{}", global: "globalThis" },
  logLevel: "warning",
});
