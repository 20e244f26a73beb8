# make demo   build weft and run a network of four hosts on this machine
# make test   set up what the tests need and run them all, without root
# make help   the rest

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD     = $(GO) build -ldflags '-s -w -X main.version=$(VERSION)'

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

.PHONY: test-kubernetes
test-kubernetes: setup ## run weft on a real Kubernetes cluster of three nodes, without root
	$(GO) test ./test/kubernetes -kubernetes=gate -v -count=1 -timeout=20m

.PHONY: test-kubernetes-full
test-kubernetes-full: setup ## the same with every combination of CNI type, backend and kube-proxy's mode
	$(GO) test ./test/kubernetes -kubernetes=full -v -count=1 -timeout=90m

.PHONY: test-kernels
test-kernels: setup ## run tests in virtual machines with the kernels KERNELS, default 6.1 and 6.12
	packaging/test-setup/install kernels-amd64
	$(GO) run ./test/kernels $(or $(KERNELS),6.1 6.12)

.PHONY: test-kernels-all
test-kernels-all: ## the same with 5.10 and the newest kernel as well
	$(MAKE) test-kernels KERNELS="5.10 6.1 6.12 newest"

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
	$(GO) tool staticcheck ./...
	$(GO) mod tidy -diff
	for mod in test/*/go.mod; do (cd $$(dirname $$mod) && $(GO) mod tidy -diff) || exit; done

.PHONY: arches
arches: ## build for the other architectures, into bin/weft-ARCH, and vet what depends on them
	for arch in arm64 arm ppc64le riscv64 s390x; do \
		export GOARCH=$$arch && \
		$(BUILD) -o bin/weft-$$arch ./cmd/weft && \
		$(BUILD) -o bin/weft-cni-$$arch ./cmd/weft-cni && \
		$(GO) vet ./cmd/weft-cni ./internal/kernel/... ./internal/cni/... || exit; \
	done

# The image that the manifests and the chart name, in REGISTRY if that is set.
IMAGE ?= $(addsuffix /,$(REGISTRY))weft:$(shell sed -n 's/^appVersion: //p' packaging/kubernetes/chart/weft/Chart.yaml)

.PHONY: image
image: build ## build the container image [REGISTRY/]weft:VERSION that the manifests name, or IMAGE
	tar -c -C bin weft weft-cni -C $(CURDIR)/packaging/kubernetes Dockerfile | docker build --tag $(IMAGE) -

.PHONY: manifests
manifests: ## render packaging/kubernetes/*.yml from the chart, with the image in REGISTRY if that is set
	$(GO) test ./packaging/kubernetes -run TestManifests -update
	$(if $(REGISTRY),sed -i 's|image: "weft:|image: "$(REGISTRY)/weft:|' packaging/kubernetes/*.yml)

.PHONY: bench
bench: build ## measure start-up, change, memory and idle cost at 100 to 10,000 leases; firewall, CNI, healing, live changes, outages
	$(GO) run ./bench

.PHONY: install
install: build ## install the binary, the CNI plugin beside it, and the systemd unit
	install -D -m 0755 bin/weft $(DESTDIR)/usr/local/bin/weft
	install -D -m 0755 bin/weft-cni $(DESTDIR)/usr/local/bin/weft-cni
	install -D -m 0644 packaging/systemd/weft.service $(DESTDIR)/etc/systemd/system/weft.service

.PHONY: help
help:
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 20
