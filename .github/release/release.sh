#!/usr/bin/env bash
# release.sh vX.Y.Z [GOOS/GOARCH...]: makes a release's commit and tag in this repository, and pushes nothing.
# The commit is a child of HEAD with cmd/launcher/manifest.json in it; no branch has it, only the tag. The tag appears
# when a second build, from a clone of it, has given the same bytes. Fewer platforms than all are for tests.
set -euo pipefail
die() { printf 'release.sh: %s\n' "$*" >&2; exit 2; }

[ $# -gt 0 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
VERSION=$1
shift
number='(0|[1-9][0-9]*)' part='[0-9A-Za-z-]+'
[[ $VERSION =~ ^v$number\.$number\.$number(-$part(\.$part)*)?$ ]] || die "$VERSION is no version: write v1.2.3, or v1.2.3-rc.1"
export VERSION
# shellcheck disable=SC2046
unset $(git rev-parse --local-env-vars) # a hook's: they would lead git elsewhere
project=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)
cd "$project"
manifest=cmd/launcher/manifest.json
head=$(git rev-parse --verify HEAD)
dirty=$(git status --porcelain)
[ -z "$dirty" ] || die "the tree is not clean: commit or remove what git status lists: ${dirty%%$'\n'*}"
! git rev-parse -q --verify "refs/tags/$VERSION" >/dev/null || die "the tag $VERSION exists: choose the next version, a release never changes"
! git cat-file -e "HEAD:$manifest" 2>/dev/null || die "HEAD is a release itself: check out main"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf 'building %s from %s ...\n' "$VERSION" "$head"
git clone -q --no-checkout . "$work/source"
cd "$work/source"
git checkout -q --detach "$head"
go run ./.github/release build "$work/binaries" "$@" >/dev/null
for binary in "$work/binaries/goproxy-action_$(go env GOHOSTOS)_$(go env GOHOSTARCH)"{,.exe}; do
  [ ! -x "$binary" ] || [ "$("$binary" version)" = "goproxy-action $VERSION" ] || die "the binary does not say that it is $VERSION"
done
go run ./.github/release manifest "$work/binaries"

# By one name and at the time of its parent: whoever makes the commit, it is the same one.
export GIT_AUTHOR_NAME='github-actions[bot]' GIT_AUTHOR_EMAIL='41898282+github-actions[bot]@users.noreply.github.com'
GIT_AUTHOR_DATE=$(git show -s --format=%cI "$head")
export GIT_AUTHOR_DATE GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
git add --force "$manifest"
git -c commit.gpgSign=false -c core.hooksPath=/dev/null commit -q -m "Release $VERSION" -m "The digests of its binaries, which the action's launcher pins."
git -c tag.gpgSign=false tag -a -m "goproxy-action $VERSION" "$VERSION"

printf 'building once more, from the tag ...\n'
git clone -q -c advice.detachedHead=false --branch "$VERSION" "$work/source" "$work/tag"
(cd "$work/tag" && go run ./.github/release verify)
cd "$project"
git fetch -q --no-tags "$work/source" "refs/tags/$VERSION:refs/tags/$VERSION"
printf 'tag %s is commit %s; nothing is pushed\n' "$VERSION" "$(git rev-parse "$VERSION^{commit}")"
