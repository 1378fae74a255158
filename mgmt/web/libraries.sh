#!/bin/sh
# Fetches the libraries that libraries.json names from npm: two are embedded in
# the program, the others are for the tests. The results are committed, so that a
# build needs neither npm nor a network.
set -eu
cd "$(dirname "$0")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp libraries.json "$dir/package.json"
(cd "$dir" && npm install --silent --no-audit --no-fund --ignore-scripts)
cp "$dir/node_modules/htmx.org/dist/htmx.min.js" static/htmx.min.js
cp "$dir/node_modules/uplot/dist/uPlot.iife.min.js" static/uplot.min.js
cp "$dir/node_modules/uplot/dist/uPlot.min.css" static/uplot.min.css
cp "$dir/node_modules/uplot/LICENSE" static/uplot.license.txt
cp "$dir/node_modules/axe-core/axe.min.js" testdata/axe.min.js

# What judges CycloneDX and CSAF documents, in one file that node runs.
cp ../inventory/testdata/standards.src.mjs "$dir/"
(cd "$dir" && npx esbuild standards.src.mjs --bundle --platform=node --format=esm --minify --legal-comments=eof --log-level=error --outfile=standards.mjs \
	--banner:js="import{createRequire}from'node:module';const require=createRequire(import.meta.url);")
cp "$dir/standards.mjs" ../inventory/testdata/standards.mjs
