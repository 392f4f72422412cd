# The page: TypeScript and xterm.js, bundled into static files. node_modules is made below O, so that the checkout stays clean.
WEB_SRC := $(addprefix sessiond/web/,index.html package.json package-lock.json tsconfig.json \
	$(addprefix src/,main.ts api.ts cast.ts controls.ts keys.ts player.ts playhead.ts protocol.ts \
	rules.ts settings.ts tabs.ts terminal.ts warning.ts xterm.ts page.css))
EXTRA += $(O)/web/app.js

$(O)/web-build/node_modules/.stamp: sessiond/web/package.json sessiond/web/package-lock.json
	@mkdir -p $(O)/web-build
	$(call say,NPM,$(O)/web-build)
	$(Q)cp $^ $(O)/web-build/ && cd $(O)/web-build && npm ci --ignore-scripts --no-audit --no-fund --silent && touch node_modules/.stamp

$(O)/web/app.js: $(WEB_SRC) $(O)/web-build/node_modules/.stamp
	@mkdir -p $(O)/web
	$(call say,WEB,$@)
	$(Q)rm -rf $(O)/web-build/src && cp -R sessiond/web/src sessiond/web/tsconfig.json $(O)/web-build/
	$(Q)cd $(O)/web-build && node_modules/.bin/tsc --noEmit -p .
	$(Q)cd $(O)/web-build && node_modules/.bin/esbuild src/main.ts --bundle --minify --format=esm --target=es2022 \
		--legal-comments=linked --log-level=warning --outfile=$(abspath $(O))/web/app.js
	$(Q)cp sessiond/web/index.html $(O)/web/
