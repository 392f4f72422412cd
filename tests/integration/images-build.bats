# carrel-image build: the same packages, the same image; a layer of its own above a base.
load images

setup() {
	images_setup
	need mmdebstrap
	need apt-get
	export SOURCE_DATE_EPOCH=1700000000 IMG_TIMEOUT=400
	mkdir small above
	# The smallest that there is: packages are unpacked, nothing is run.
	cat > small/recipe.yaml << 'YAML'
name: small
suite: bookworm
variant: extract
components: [main]
packages: [base-files, dash]
env: [A=1, B=2]
cmd: [sh]
YAML
	cat > above/recipe.yaml << 'YAML'
name: above
base: ../small
packages: [hostname]
env: [B=3]
YAML
}

@test "the same recipe gives the same digest, and a recipe above it shares its layer" {
	above=$(img build above)
	small=$(img inspect small | jq -r .digest)
	[ "$(img inspect above | jq -r .digest)" = "$above" ]
	# Again, and all of it as EROFS images, the base that is taken away too.
	[ "$(STORE=$WORK/erofs img build --format erofs above)" = "$above" ]
	[ "$(STORE=$WORK/erofs img inspect small | jq -r .digest)" = "$small" ]
	[ "$(ls erofs/layers/*/layer.erofs | wc -l)" = 2 ] && [ -z "$(ls -d erofs/layers/*/root 2> /dev/null)" ]
	[[ $(STORE=$WORK/erofs img verify) == *': 0 broken'* ]]
	run img inspect above
	ok
	jq -e '(.layers | length) == 2 and .config.cmd == ["sh"] and .config.env == ["A=1", "B=3"] and .created == "2023-11-14T22:13:20Z"' <<< "$output"
	[ "$(jq -r '.layers[0].digest' <<< "$output")" = "$(img inspect small | jq -r '.layers[0].digest')" ]
	top=$(jq -r '.layers[1].root' <<< "$output")
	# What was added is there, what the base has is not.
	[ -e "$top/bin/hostname" ] && [ ! -e "$top/bin/dash" ] && [ -z "$(find "$top" -name 'base-files*')" ]
	[ "$(img du --format json | jq '[.images[] | select(.name == "above")][0] | .own < .shared / 4')" = true ]
	# Nothing of the day it was made on.
	[ -z "$(find "$top" ! -type c -newermt @1700000000)" ]
	[[ $(img verify) == *': 0 broken'* ]]
}

@test "a base that cannot be is refused by name" {
	mkdir third
	printf 'name: third\nbase: ../above\npackages: []\n' > third/recipe.yaml
	fails_with 'it has a base itself' img build third
	printf 'name: third\nbase: ../nosuch\npackages: []\n' > third/recipe.yaml
	fails_with '../nosuch' img build third
	mk <<< "oci('two', [layer([f('a', '1')]), layer([f('b', '2')])], name='small')"
	img import two
	fails_with 'base small: it has 2 layers; one is supported' img build above
}
