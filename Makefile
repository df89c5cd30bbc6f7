# Culver. One Makefile, no recursion but for build variants; everything is built under build/<variant>/.
#
#   make            build the release variant            make run      start a demo server on 127.0.0.1
#   make check      all tests                            make lint     style, include directions, banned calls
#   make help       every target and variable

SHELL := /bin/bash
.DEFAULT_GOAL := all

VERSION := 0.1.0
PREFIX ?= /usr
SYSCONFDIR ?= /etc
LIBEXECDIR ?= $(PREFIX)/lib/culver
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd
STATEDIR ?= /var/lib/culver
RUNDIR ?= /run/culver
DESTDIR ?=

# --- variants ------------------------------------------------------------------------------------------
# B: where builds go. SAN=address,undefined gives the sanitizer variant; CC=clang works with each.
B ?= build
SAN ?=
CCNAME := $(notdir $(firstword $(CC)))
VARIANT ?= $(if $(SAN),san-$(CCNAME),release-$(CCNAME))
O := $(B)/$(VARIANT)

WARN := -Wall -Wextra -Wformat=2 -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wundef -Wvla -Wimplicit-fallthrough -Wconversion -Wno-sign-conversion -Werror
HARDEN := -fstack-protector-strong -fstack-clash-protection -ftrivial-auto-var-init=zero -fcf-protection -fPIE
ifeq ($(SAN),)
OPT ?= -O2
HARDEN += -D_FORTIFY_SOURCE=2
SANFLAGS :=
else
OPT ?= -O1
SANFLAGS := -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all -DCULVER_SANITIZED=1
endif
ifeq ($(CCNAME),clang)
# The macros of libseccomp leave fields out, and clang before 16 wants to be told twice about zeroed variables.
WARN += -Wno-gnu-zero-variadic-macro-arguments -Wno-missing-field-initializers
HARDEN += $(shell $(CC) -ftrivial-auto-var-init=zero -E -x c /dev/null >/dev/null 2>&1 || \
	echo -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang)
endif
PATHS := -DCULVER_VERSION='"$(VERSION)"' -DCULVER_LIBEXECDIR='"$(LIBEXECDIR)"' -DCULVER_SYSCONFDIR='"$(SYSCONFDIR)"' \
	-DCULVER_STATEDIR='"$(STATEDIR)"' -DCULVER_RUNDIR='"$(RUNDIR)"'
CPPFLAGS += -I. -D_GNU_SOURCE $(PATHS)
CFLAGS_ALL = -std=c11 -g $(OPT) $(WARN) $(HARDEN) $(SANFLAGS) $(EXTRA_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(SANFLAGS) -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed $(LDFLAGS)
LIBS := -lssl -lcrypto -lsodium -lseccomp -lxxhash -lutf8proc -lz
LIBS_auth := -lpam -lcrypt

# --- sources: one archive a folder; *_main.c are programs ---------------------------------------------------
src = $(filter-out %_main.c,$(sort $(wildcard $(addsuffix /*.c,$(1)))))
SRC_common := $(call src,common/base common/io common/ipc common/log common/conf common/tls common/sandbox common/text \
	common/secret common/proc common/login common/net)
SRC_storage := $(call src,storage storage/message)
SRC_imaplogin := $(sort $(wildcard imap/login*.c))
SRC_imaplogin := $(filter-out %_main.c,$(SRC_imaplogin))
SRC_pop3login := $(filter-out %_main.c,$(sort $(wildcard pop3/login*.c)))
SRC_imap := $(filter-out $(SRC_imaplogin),$(call src,imap))
SRC_pop3 := $(filter-out $(SRC_pop3login),$(call src,pop3))
SRC_auth := $(call src,auth)
SRC_authdb := $(call src,auth/db)
SRC_authsqlite := $(call src,auth/sqlite)
SRC_authpgsql := $(call src,auth/pgsql)
SRC_authldap := $(call src,auth/ldap)
SRC_authoauth2 := $(call src,auth/oauth2)
SRC_lmtp := $(call src,lmtp)
SRC_worker := $(call src,worker)
SRC_master := $(call src,master)
ARCHIVES := common storage imaplogin pop3login imap pop3 auth authdb lmtp worker master
archive = $(patsubst %,$(O)/lib%.a,$(1))
# The programs that speak to other servers are built where their libraries are: culver-auth-sqlite, -pgsql, -ldap, -oauth2.
have = $(shell pkg-config --exists $(2) 2>/dev/null && echo $(1))
AUTH_DBS := $(call have,sqlite,sqlite3) $(call have,pgsql,libpq) $(call have,ldap,ldap) $(call have,oauth2,libcurl)
ARCHIVES += $(addprefix auth,$(AUTH_DBS))

# A program is main file + archives, in the only order in which arrows may point.
PROGRAMS := culver culverctl culver-auth culver-auth-helper culver-keys culver-imap-login culver-pop3-login culver-lmtp \
	culver-smtp-auth culver-worker culver-mailtool culver-deliver $(addprefix culver-auth-,$(AUTH_DBS))
MAIN_culver := master/culver_main.c
AR_culver := master common
MAIN_culverctl := master/ctl_main.c
AR_culverctl := master common
LIBS_culverctl := -lcrypt
MAIN_culver-auth := auth/auth_main.c
AR_culver-auth := auth common
LIBS_culver-auth := $(LIBS_auth)
MAIN_culver-auth-helper := auth/helper_main.c
AR_culver-auth-helper := auth common
LIBS_culver-auth-helper := $(LIBS_auth)
define auth_db
MAIN_culver-auth-$(1) := auth/$(1)/$(1)_main.c
AR_culver-auth-$(1) := auth$(1) authdb auth common
LIBS_culver-auth-$(1) := $(shell pkg-config --libs $(2) 2>/dev/null)
endef
$(eval $(call auth_db,sqlite,sqlite3))
$(eval $(call auth_db,pgsql,libpq))
$(eval $(call auth_db,ldap,ldap))
$(eval $(call auth_db,oauth2,libcurl))
# libpq's header is in a folder of its own.
$(O)/auth/pgsql/%.o: CPPFLAGS += $(shell pkg-config --cflags libpq 2>/dev/null)
MAIN_culver-keys := auth/keys_main.c
AR_culver-keys := auth common
MAIN_culver-smtp-auth := auth/smtp_main.c
AR_culver-smtp-auth := auth common
MAIN_culver-imap-login := imap/login_main.c
AR_culver-imap-login := imaplogin common
MAIN_culver-pop3-login := pop3/login_main.c
AR_culver-pop3-login := pop3login common
MAIN_culver-lmtp := lmtp/lmtp_main.c
AR_culver-lmtp := lmtp common
MAIN_culver-deliver := lmtp/lda_main.c
AR_culver-deliver := lmtp common
MAIN_culver-worker := worker/worker_main.c
AR_culver-worker := worker imap pop3 storage common
MAIN_culver-mailtool := worker/mailtool_main.c
AR_culver-mailtool := worker storage common
BINS := $(addprefix $(O)/bin/,$(PROGRAMS))

obj = $(patsubst %.c,$(O)/%.o,$(1))

all: $(BINS)

define archive_rule
$(O)/lib$(1).a: $(call obj,$(SRC_$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
.PHONY: lib$(1)
lib$(1): $(O)/lib$(1).a
endef
$(foreach a,$(ARCHIVES),$(eval $(call archive_rule,$(a))))

define program_rule
$(O)/bin/$(1): $(call obj,$(MAIN_$(1))) $(call archive,$(AR_$(1)))
	@mkdir -p $$(@D)
	@echo "LD  $$@"
	@$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS_$(1)) $$(LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(O)/%.o: %.c
	@mkdir -p $(@D)
	@echo "CC  $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# --- unit tests: tests/unit/<component>/test_<module>.c, each a program --------------------------------------
UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BINS := $(patsubst %.c,$(O)/%,$(UNIT_SRC))
$(O)/tests/unit/%: $(O)/tests/unit/%.o $(call archive,master worker lmtp auth imaplogin pop3login imap pop3 storage common)
	@echo "LD  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $< $(filter %.a,$^) $(filter %.a,$^) -lcmocka $(LIBS_auth) $(LIBS)
# make unit T=common builds and runs one component's tests with the archives it needs only.
unit-bins: $(UNIT_BINS)
UNIT_AR_common := common
UNIT_AR_storage := storage common
UNIT_AR_imap := imap imaplogin storage common
UNIT_AR_pop3 := pop3 pop3login storage common
UNIT_AR_auth := auth common
UNIT_AR_lmtp := lmtp common
UNIT_AR_worker := worker imap pop3 storage common
UNIT_AR_master := master common
ifneq ($(T),)
UNIT_T_BINS := $(filter $(O)/tests/unit/$(T)/%,$(UNIT_BINS))
$(UNIT_T_BINS): $(O)/tests/unit/%: $(O)/tests/unit/%.o $(call archive,$(UNIT_AR_$(T)))
	@echo "LD  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $< $(filter %.a,$^) $(filter %.a,$^) -lcmocka $(LIBS_auth) $(LIBS)
endif
unit-one: $(UNIT_T_BINS)
	@set -e; for t in $^; do echo "RUN $$t"; $$t; done

# --- tools that need the storage only: tests/sim, tests/bench ------------------------------------------------------
$(O)/tests/sim/storage_sim $(O)/tests/bench/bench_storage: %: %.o $(call archive,storage common)
	@echo "LD  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
$(O)/tests/bench/bench_search: %: %.o $(call archive,imap storage common)
	@echo "LD  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)
sim-bin: $(O)/tests/sim/storage_sim
bench-bin: $(O)/tests/bench/bench_storage $(O)/tests/bench/bench_search

# --- fuzz targets: tests/fuzz/fuzz_<parser>.c (clang, libFuzzer) ------------------------------------------------
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_O := $(B)/fuzz
FUZZ_BINS := $(patsubst tests/fuzz/%.c,$(FUZZ_O)/bin/%,$(FUZZ_SRC))
FUZZ_LIBSRC := $(SRC_common) $(SRC_storage) $(SRC_imaplogin) $(SRC_pop3login) $(SRC_imap) $(SRC_pop3) $(SRC_lmtp) $(SRC_auth)
FUZZ_LIBSRC += $(filter worker/tool_%.c worker/deflate.c worker/record.c,$(SRC_worker))
FUZZ_CFLAGS := -std=c11 -g -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DCULVER_SANITIZED=1 -w
$(FUZZ_O)/%.o: %.c
	@mkdir -p $(@D)
	@clang $(CPPFLAGS) $(FUZZ_CFLAGS) -MMD -MP -c -o $@ $<
$(FUZZ_O)/libfuzz.a: $(patsubst %.c,$(FUZZ_O)/%.o,$(FUZZ_LIBSRC))
	@rm -f $@; ar rcs $@ $^
$(FUZZ_O)/bin/%: $(FUZZ_O)/tests/fuzz/%.o $(FUZZ_O)/libfuzz.a
	@mkdir -p $(@D)
	@echo "LD  $@"
	@clang -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIBS_auth) $(LIBS)
fuzz-bins: $(FUZZ_BINS)
# The same with this variant's compiler, and over files alone.
REPLAY_BINS := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(FUZZ_SRC))
$(REPLAY_BINS): %: %.o $(O)/tests/fuzz/replay.o $(call archive,worker lmtp auth imaplogin pop3login imap pop3 storage common)
	@echo "LD  $@"
	@$(CC) $(LDFLAGS_ALL) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(filter %.a,$^) $(LIBS_auth) $(LIBS)
replay-bins: $(REPLAY_BINS)

# --- packages ------------------------------------------------------------------------------------------
# What a build needs, what the tests need besides, what lint, fuzz and bench need besides.
PKG_BUILD := gcc make libc6-dev pkg-config libssl-dev libsodium-dev libpam0g-dev libcrypt-dev libseccomp-dev libxxhash-dev \
	libutf8proc-dev zlib1g-dev openssl
PKG_AUTH_DB := libsqlite3-dev libpq-dev libldap-dev libcurl4-openssl-dev
PKG_TEST := $(PKG_AUTH_DB) postgresql sqlite3 slapd ldap-utils libcmocka-dev python3 python3-pytest python3-pytest-timeout postfix isync fetchmail mutt curl libpam-wrapper libpam-pwdfile \
	libpam-modules util-linux procps iproute2 passwd strace e2fsprogs mount gsasl getmail6 mpop fail2ban \
	dovecot-core dovecot-imapd libmail-imapclient-perl libio-socket-ssl-perl offlineimap3 neomutt \
	$(if $(shell command -v npm),,nodejs npm)
PKG_LINT := clang clang-format clang-tidy
PKG_FUZZ := clang
PKG_BENCH := python3 dovecot-core dovecot-imapd dovecot-lmtpd
NEED ?= build
PKG_build := $(PKG_BUILD)
PKG_check := $(PKG_BUILD) $(PKG_TEST)
PKG_lint := $(PKG_BUILD) $(PKG_AUTH_DB) $(PKG_LINT)
PKG_fuzz := $(PKG_BUILD) $(PKG_FUZZ)
PKG_bench := $(PKG_BUILD) $(PKG_BENCH)
PKG_all := $(PKG_BUILD) $(PKG_TEST) $(PKG_LINT) $(PKG_FUZZ) $(PKG_BENCH)

# Installs (as root) or names what is missing for $(NEED): build, check, lint, fuzz, bench or all.
deps:
	@tests/tools/deps.sh $(PKG_$(NEED))

# --- running and testing --------------------------------------------------------------------------------
run:
	@$(MAKE) --no-print-directory deps NEED=build
	@$(MAKE) --no-print-directory all
	@tests/tools/demo.sh $(abspath $(O))/bin $(abspath $(B))/run

check:
	@$(MAKE) --no-print-directory deps NEED=check
	@tests/tools/check.sh

unit:
	@$(MAKE) --no-print-directory SAN=address,undefined unit-bins
	@tests/tools/unit.sh $(B)/san-$(CCNAME)

replay:
	@$(MAKE) --no-print-directory SAN=address,undefined replay-bins
	@tests/tools/replay.sh $(B)/san-$(CCNAME)

e2e: all
	@tests/tools/exim.sh $(abspath $(B))/exim
	@CULVER_EXIM=$(abspath $(B))/exim tests/tools/e2e.sh $(abspath $(O))/bin $(PYTEST_ARGS)

# RUNS histories of storage over a simulated disk, from seed SEED on.
RUNS ?= 1000
SEED ?= 1
sim:
	@$(MAKE) --no-print-directory deps NEED=build
	@$(MAKE) --no-print-directory SAN=address,undefined sim-bin
	@$(B)/san-$(CCNAME)/tests/sim/storage_sim $(SEED) $$(($(SEED) + $(RUNS) - 1))

# LINT: names of single checks (tests/lint/*.sh).
# make has a LINT of its own ("lint").
ifeq ($(origin LINT),default)
LINT :=
endif
lint:
	@$(MAKE) --no-print-directory deps NEED=lint
	@B=$(B) tests/lint/lint.sh $(LINT)

format:
	find common storage imap pop3 auth lmtp worker master tests -name '*.[ch]' -print0 | xargs -0 clang-format -i

analyze:
	@$(MAKE) --no-print-directory deps NEED=lint
	@$(MAKE) --no-print-directory VARIANT=analyze EXTRA_CFLAGS=-fanalyzer all

# FUZZ_TIME: seconds a target. Corpora are kept in tests/fuzz/corpus/<target>.
FUZZ_TIME ?= 30
fuzz:
	@$(MAKE) --no-print-directory deps NEED=fuzz
	@$(MAKE) --no-print-directory fuzz-bins
	@tests/tools/fuzz.sh $(FUZZ_O)/bin $(FUZZ_TIME)

bench:
	@$(MAKE) --no-print-directory deps NEED=bench
	@$(MAKE) --no-print-directory all bench-bin
	@tests/bench/bench.sh $(abspath $(O))/bin
	@$(O)/tests/bench/bench_storage $(B)/bench
	@$(O)/tests/bench/bench_search $(B)/bench

compdb:
	@$(MAKE) -B -n all | tests/tools/compdb.sh >compile_commands.json

clean:
	rm -rf $(B)

# --- installing -------------------------------------------------------------------------------------------
SBIN_PROGRAMS := culver culverctl culver-deliver
LIBEXEC_PROGRAMS := $(filter-out $(SBIN_PROGRAMS),$(PROGRAMS))
install: all
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(SYSCONFDIR)/culver $(DESTDIR)$(SYSCONFDIR)/pam.d \
		$(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(UNITDIR)/system $(DESTDIR)$(PREFIX)/lib/sysusers.d \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 755 $(addprefix $(O)/bin/,$(SBIN_PROGRAMS)) $(DESTDIR)$(PREFIX)/sbin/
	install -m 755 $(addprefix $(O)/bin/,$(LIBEXEC_PROGRAMS)) $(DESTDIR)$(LIBEXECDIR)/
	test -e $(DESTDIR)$(SYSCONFDIR)/culver/culver.conf || install -m 644 conf/culver.conf $(DESTDIR)$(SYSCONFDIR)/culver/
	test -e $(DESTDIR)$(SYSCONFDIR)/pam.d/culver || install -m 644 conf/pam.d/culver $(DESTDIR)$(SYSCONFDIR)/pam.d/
	install -m 644 conf/systemd/culver.service $(DESTDIR)$(UNITDIR)/system/
	install -m 644 conf/culver.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/culver.conf
	install -m 644 conf/culver.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/culver.conf
	install -m 644 docs/man/*.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 644 docs/man/*.8 $(DESTDIR)$(MANDIR)/man8/

# Configuration and mail stay.
uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/sbin/,$(SBIN_PROGRAMS)) $(addprefix $(DESTDIR)$(LIBEXECDIR)/,$(LIBEXEC_PROGRAMS))
	-rmdir $(DESTDIR)$(LIBEXECDIR)
	rm -f $(DESTDIR)$(UNITDIR)/system/culver.service $(DESTDIR)$(PREFIX)/lib/sysusers.d/culver.conf \
		$(DESTDIR)$(PREFIX)/lib/tmpfiles.d/culver.conf $(addprefix $(DESTDIR)$(MANDIR)/man5/,$(notdir $(wildcard docs/man/*.5))) \
		$(addprefix $(DESTDIR)$(MANDIR)/man8/,$(notdir $(wildcard docs/man/*.8)))

help:
	@echo "all        build the release variant under $(B)/"
	@echo "run        demo server on 127.0.0.1: IMAP 1143, IMAPS 1993, POP3 1110, POP3S 1995, LMTP 1024"
	@echo "check      unit tests (sanitizers) and end-to-end tests; the parts: unit, replay, e2e (PYTEST_ARGS=...)"
	@echo "lint       formatting, clang-tidy, include directions, banned calls, documents against the code (LINT=check)"
	@echo "format     rewrite all C files as clang-format has them"
	@echo "analyze    the compiler's static analyzer    fuzz   each target for FUZZ_TIME=30 seconds"
	@echo "sim        RUNS=1000 histories of storage over a simulated disk, from SEED=1 on"
	@echo "bench      figures side by side with Dovecot compdb compile_commands.json"
	@echo "deps       packages for NEED=build|check|lint|fuzz|bench|all"
	@echo "install    uninstall  clean                  variables: CC SAN B DESTDIR PREFIX SYSCONFDIR"

DEPS := $(shell find $(O) $(FUZZ_O) -name '*.d' 2>/dev/null)
-include $(DEPS)
.SECONDARY:
.PHONY: all unit-bins unit-one fuzz-bins replay-bins deps run check unit replay e2e sim sim-bin bench-bin lint format analyze fuzz bench compdb clean install uninstall help
