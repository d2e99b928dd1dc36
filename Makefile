# Each target makes what it needs in .venv; as root on Debian it also installs what the machine lacks.
SHELL := /bin/bash
VENV := .venv
URLS ?=
MEDIA ?= 200000
TRANSACTIONS ?= 1000

.DEFAULT_GOAL := help
.PHONY: help demo smoke test bench counters query-report async-report migration-report container-test deploy-test soak docs guards pythons bounds lint audit clean
.SECONDARY:

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Run the reference application, a media library: one web process, one worker
	@scripts/demo.sh

smoke: $(VENV)/.$(if $(URLS),all,demo) ## Upload, see the thumbnail, log out, and stop; URLS=mysql+redis for private servers
	@scripts/smoke.sh $(URLS)

test: $(VENV)/.tox ## Run what a merge needs: style, types, layers, every suite, documentation
	@scripts/test.sh

lint: $(VENV)/.dev ## Check style, types, layers and what is unsafe to write
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" scripts/lint.sh

audit: $(VENV)/.dev ## Ask which known vulnerabilities the required packages have; AUDIT_REQUIRED=1: no answer is a failure
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" scripts/audit.sh

# Each row is a run of its own, and most of a short run is the loading of plugins that no proof uses.
guards: $(if $(PYTHON),,$(VENV)/.dev) ## Turn each guard off and see that its fault test goes red; PYTHON=… to use its packages, PART=1/96 for some of them
	@scripts/need.sh servers
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTEST_PLUGINS=postrmagic_core.testing.pytest_plugin,pytest_timeout \
		$(or $(PYTHON),$(VENV)/bin/python) -m postrmagic_core.testing.guards tests/faults.toml --jobs 12 $(if $(PART),--part $(PART))

pythons: $(VENV)/.tox ## Run every room's contract on the oldest and the newest Python beside this one
	@scripts/pythons.sh

bounds: $(VENV)/.dev ## Run with the lowest and with the newest versions of what pyproject.toml requires
	@scripts/bounds.sh

bench: $(VENV)/.bench ## Run each benchmark once, the quick way
	@scripts/need.sh servers
	@scripts/bench.sh

# With the tests' own packages: among what is counted are the proofs.
counters: $(VENV)/.bench $(VENV)/.dev ## Run every benchmark once, the peers beside us, and write the page (hours); ONLY="cache jobs" QUICK=1 CONTAINERS=1
	@scripts/need.sh servers
	@$(VENV)/bin/python -m benchmarks report $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) $(if $(CONTAINERS),--with-containers)

query-report: $(VENV)/.dev ## Analyse the reference application's queries on 200,000 media; MEDIA=N for another size
	@scripts/query_report.sh $(MEDIA)

async-report: $(VENV)/.dev ## Kill applications, workers and servers under every broker, and write what came of it
	@scripts/need.sh servers
	@$(VENV)/bin/python -m tests.jobs.async_report --transactions $(TRANSACTIONS)

migration-report: $(VENV)/.dev ## Move the reference application to MariaDB with 200,000 media, smoke it there, and write what came of it
	@scripts/need.sh servers
	@PYTHONPATH=examples $(VENV)/bin/python -m tests.database.transfer.migration_report --media $(MEDIA)

container-test: $(VENV)/.dev ## Build the image and try it on a Docker engine: load, kills, migrations, secrets; write what came of it
	@$(VENV)/bin/python -m tests.containers.report

deploy-test: $(VENV)/.dev ## Deploy, break and roll back on a Docker engine, take out each safeguard; write what came of it
	@$(VENV)/bin/python -m tests.containers.deploy_report

soak: $(VENV)/.dev ## Run the slow proofs, on MySQL itself and on further Pythons too
	@scripts/need.sh servers
	@scripts/mysql.sh || true
	@$(VENV)/bin/python -m pytest -m soak
	@$(MAKE) --no-print-directory guards
	@for version in 12 13; do if python3.$$version -c '' 2>/dev/null; then \
		$(VENV)/bin/python -m tox run -q -e py3$$version -- tests --ignore=tests/project || exit; fi; done

docs: $(VENV)/.docs ## Build the documentation into docs/_build/html
	@$(VENV)/bin/sphinx-build -q -W -n --keep-going docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean: ## Remove what the other targets made
	rm -rf $(VENV) .tox dist docs/_build

$(VENV)/.%: pyproject.toml scripts/venv.sh
	@scripts/venv.sh $*
