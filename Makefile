# make demo   build weft and run a network of four hosts on this machine
# make test   set up what the tests need and run them all, without root
# make help   the rest

GO       ?= go
BUILD     = $(GO) build -ldflags '-s -w -X main.version=$(VERSION)'

# The git tag, or what follows from it; the same in programs, packages, image and manifests.
ifndef VERSION
VERSION := $(shell packaging/version)
endif

# All targets compile in the same way, including the programs that tests run,
# so that Go's build cache has every package only once.
export CGO_ENABLED = 0
export GOFLAGS    += -trimpath

.PHONY: build
build: ## build bin/weft, one static binary, and bin/weft-cni, its CNI plugin alone
	$(BUILD) -o bin/weft ./cmd/weft
	$(BUILD) -o bin/weft-cni ./cmd/weft-cni

.PHONY: demo
demo: build ## run four hosts on two segments, with real agents and real packets
	bin/weft lab demo

.PHONY: setup
setup: ## install the programs that the tests run against
	packaging/test-setup/install
	$(GO) run ./test/programs/build

.PHONY: test
test: setup ## run every test, without root
	$(GO) test -timeout=20m ./...
	cd packaging/release && $(GO) test ./...
	cd test/page && $(GO) test -v ./...

.PHONY: page
page: ## build the page of 'weft ui' from web/src into web/dist, which is committed (needs Node 20.19 or newer)
	packaging/test-setup/install page
	cd web && npm ci --ignore-scripts && npm run build

.PHONY: screenshots
screenshots: setup ## write the pictures of docs/guides/page.md anew
	cd test/page && PAGE_SHOTS=$(CURDIR)/docs/images $(GO) test -count=1 ./...

.PHONY: test-kubernetes
test-kubernetes: setup ## run weft on a real Kubernetes cluster of three nodes, without root
	$(GO) test ./test/kubernetes -kubernetes=gate -v -count=1 -timeout=20m

.PHONY: test-kubernetes-full
test-kubernetes-full: setup ## the same with every combination of CNI type, backend and kube-proxy's mode, Kubernetes' own tests, NetworkPolicies and an older API server
	packaging/test-setup/install kubernetes
	$(GO) test ./test/kubernetes -kubernetes=full -v -count=1 -timeout=120m
	$(GO) test ./internal/store/kube -previous -count=1 -timeout=20m

.PHONY: test-kernels
test-kernels: setup ## run what differs by kernel in virtual machines with the kernels KERNELS, default 6.1 and 6.12, two at once; everything with FULL=1
	packaging/test-setup/install kernels-amd64
	$(GO) run ./test/kernels $(if $(FULL),-limit 60m,-quick -limit 20m -at-once $(or $(GUESTS),2)) $(or $(KERNELS),6.1 6.12)

.PHONY: test-kernels-all
test-kernels-all: ## run everything, on 5.10 and the newest kernel as well
	$(MAKE) test-kernels FULL=1 KERNELS="5.10 6.1 6.12 newest"

.PHONY: test-arch
test-arch: ## run the kernel's tests and the demo in a virtual machine of ARCH, arm64 or s390x (big-endian)
	packaging/test-setup/install kernels-$(ARCH)
	$(GO) run ./test/kernels -arch $(ARCH) -limit 60m $(or $(KERNELS),6.1)

.PHONY: race
race: setup ## run the tests under the race detector (needs a C compiler)
	packaging/test-setup/install race
	CGO_ENABLED=1 $(GO) test -race -timeout=20m ./internal/... ./cmd/...

.PHONY: chaos
chaos: setup ## run six hosts under random faults for CHAOS, default ten minutes
	$(GO) test ./test/chaos -v -count=1 -timeout=0 -chaos.duration=$(or $(CHAOS),10m) -chaos.seed=$(or $(SEED),0) -chaos.settle=$(or $(SETTLE),10s)

.PHONY: test-hosts-full
test-hosts-full: setup ## try weft on all host configurations with every family and every backend first
	$(GO) test ./test/hosts -count=1 -timeout=2h -hosts.full

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME
	packaging/test-setup/fuzz $(or $(FUZZTIME),10s)

.PHONY: lint
lint: ## check formatting, vet, staticcheck, tidiness of each go.mod
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "gofmt: $$unformatted" >&2; exit 1; }
	$(GO) vet ./...
	cd packaging/release && $(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff
	packaging/test-setup/install page
	cd web && npm ci --ignore-scripts && npm run check && npx vite build --outDir ../.cache/page --emptyOutDir
	diff -r web/dist .cache/page || { echo "web/dist is not what web/src makes: run 'make page' and commit it" >&2; exit 1; }
	for mod in packaging/release/go.mod test/*/go.mod; do (cd $$(dirname $$mod) && $(GO) mod tidy -diff) || exit; done

.PHONY: arches
arches: ## build for the other architectures, into bin/weft-ARCH, and vet what depends on them
	for arch in arm64 arm ppc64le riscv64 s390x; do \
		export GOARCH=$$arch && \
		$(BUILD) -o bin/weft-$$arch ./cmd/weft && \
		$(BUILD) -o bin/weft-cni-$$arch ./cmd/weft-cni && \
		$(GO) vet ./cmd/weft-cni ./internal/kernel/... ./internal/cni/... || exit; \
	done

# What writes everything that is distributed. REGISTRY, if set, is the image's registry in the manifests, too.
RELEASE = $(GO) run -C packaging/release . -root $(CURDIR) -out $(CURDIR)/dist -version $(VERSION) $(addprefix -registry ,$(REGISTRY))

.PHONY: release
release: ## build tarballs, packages, image, manifests, SBOMs and checksums of VERSION for all architectures, into dist/
	rm -rf dist
	$(RELEASE)

.PHONY: release-check
release-check: release ## build all of it a second time, and compare
	mkdir -p .cache && rm -rf .cache/dist && mv dist .cache/dist
	$(RELEASE)
	diff .cache/dist/SHA256SUMS dist/SHA256SUMS
	cd dist && sha256sum --check --quiet SHA256SUMS

.PHONY: image
image: ## build the container image [REGISTRY/]weft:VERSION for this machine, and the manifests that name it, into dist/
	$(RELEASE) -formats image,manifest -arches $(shell $(GO) env GOARCH)

.PHONY: push
push: ## build the image for amd64 and arm64 and push it to REGISTRY; dist/weft.yml names it
	$(RELEASE) -formats image,manifest -arches amd64,arm64 -push

.PHONY: manifests
manifests: ## render packaging/kubernetes/*.yml from the chart
	$(GO) test ./packaging/kubernetes -run TestManifests -update

.PHONY: fastpath
fastpath: ## compile the fast path's eBPF programs (needs Debian's clang-14, llvm-14 and libbpf-dev); the objects are committed
	packaging/test-setup/install
	internal/kernel/fastpath/bpf/build

.PHONY: bench
bench: build ## measure start-up, change, memory and idle cost at 100 to 10,000 leases; firewall, CNI, healing, live changes, outages
	$(GO) run ./bench

PREFIX     = $(DESTDIR)/usr/local
COMPLETION = $(PREFIX)/share/bash-completion/completions/weft $(PREFIX)/share/zsh/site-functions/_weft $(PREFIX)/share/fish/vendor_completions.d/weft.fish

.PHONY: install
install: build ## install programs, the systemd unit, /etc/weft/weft.env if there is none, manual and completion
	$(GO) run ./packaging/pages -out bin/pages -version $(VERSION)
	install -D -m 0755 bin/weft $(PREFIX)/bin/weft
	install -D -m 0755 bin/weft-cni $(PREFIX)/bin/weft-cni
	install -D -m 0644 packaging/systemd/weft.service $(DESTDIR)/etc/systemd/system/weft.service
	test -e $(DESTDIR)/etc/weft/weft.env || install -D -m 0600 bin/pages/weft.env $(DESTDIR)/etc/weft/weft.env
	install -D -m 0644 -t $(PREFIX)/share/man/man1 bin/pages/man/*.1
	install -D -m 0644 bin/pages/completion/weft.bash $(word 1,$(COMPLETION))
	install -D -m 0644 bin/pages/completion/_weft $(word 2,$(COMPLETION))
	install -D -m 0644 bin/pages/completion/weft.fish $(word 3,$(COMPLETION))

.PHONY: uninstall
uninstall: ## stop the agent, run 'weft clean', and remove what was installed; /etc/weft and /var/lib/weft stay
	test -n "$(DESTDIR)" || weft=$(PREFIX)/bin/weft packaging/scripts/preremove remove
	rm -f $(PREFIX)/bin/weft $(PREFIX)/bin/weft-cni $(DESTDIR)/etc/systemd/system/weft.service $(COMPLETION)
	rm -f $(PREFIX)/share/man/man1/weft.1 $(PREFIX)/share/man/man1/weft-*.1
	test -n "$(DESTDIR)" || packaging/scripts/postremove remove

.PHONY: help
help:
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 20
