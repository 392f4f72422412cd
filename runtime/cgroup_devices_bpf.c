/*
 * cgroup v2's device filter: the rules as an eBPF program, from the last rule to the first.
 *
 * The program sees {access << 16 | type, major, minor}. An allowing rule matches when it covers all that is
 * asked for, a denying one when it touches any of it.
 */
#include "runtime/cgroup_devices.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"

enum { REG_TYPE = 2, REG_ACCESS = 3, REG_MAJOR = 4, REG_MINOR = 5, REG_TMP = 6 };

static struct bpf_insn insn(int code, int dst, int src, int off, int32_t imm)
{
	return (struct bpf_insn){ .code = (uint8_t) code,
				  .dst_reg = dst & 15,
				  .src_reg = src & 15,
				  .off = (int16_t) off,
				  .imm = imm };
}

static size_t prologue(struct bpf_insn *p)
{
	size_t n = 0;

	p[n++] = insn(BPF_LDX | BPF_MEM | BPF_W, REG_TYPE, 1, 0, 0);
	p[n++] = insn(BPF_ALU | BPF_MOV | BPF_X, REG_ACCESS, REG_TYPE, 0, 0);
	p[n++] = insn(BPF_ALU | BPF_AND | BPF_K, REG_TYPE, 0, 0, 0xffff);
	p[n++] = insn(BPF_ALU | BPF_RSH | BPF_K, REG_ACCESS, 0, 0, 16);
	p[n++] = insn(BPF_LDX | BPF_MEM | BPF_W, REG_MAJOR, 1, 4, 0);
	p[n++] = insn(BPF_LDX | BPF_MEM | BPF_W, REG_MINOR, 1, 8, 0);
	return n;
}

static unsigned bpf_access(unsigned access)
{
	return (access & 1 ? BPF_DEVCG_ACC_READ : 0u) |
	       (access & 2 ? BPF_DEVCG_ACC_WRITE : 0u) |
	       (access & 4 ? BPF_DEVCG_ACC_MKNOD : 0u);
}

static size_t verdict(struct bpf_insn *p, bool allow)
{
	p[0] = insn(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, allow);
	p[1] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return 2;
}

/* A test that fails jumps behind the rule; offsets are filled in when its length is known. */
static size_t rule(struct bpf_insn *p, const struct cgroup_device *d)
{
	unsigned access = bpf_access(d->access);
	size_t n = 0, jumps[4], n_jumps = 0;

	jumps[n_jumps++] = n;
	p[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, REG_TYPE, 0, 0,
		      d->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	if (d->access != 7) {
		p[n++] = insn(BPF_ALU | BPF_MOV | BPF_X, REG_TMP, REG_ACCESS, 0, 0);
		p[n++] = insn(BPF_ALU | BPF_AND | BPF_K, REG_TMP, 0, 0,
			      (int32_t) (d->allow ? ~access & 7 : access));
		jumps[n_jumps++] = n;
		p[n++] = insn(BPF_JMP | (d->allow ? BPF_JNE : BPF_JEQ) | BPF_K, REG_TMP, 0, 0,
			      0);
	}
	if (d->major >= 0) {
		jumps[n_jumps++] = n;
		p[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, REG_MAJOR, 0, 0, (int32_t) d->major);
	}
	if (d->minor >= 0) {
		jumps[n_jumps++] = n;
		p[n++] = insn(BPF_JMP | BPF_JNE | BPF_K, REG_MINOR, 0, 0, (int32_t) d->minor);
	}
	n += verdict(p + n, d->allow);
	for (size_t i = 0; i < n_jumps; i++)
		p[jumps[i]].off = (int16_t) (n - jumps[i] - 1);
	return n;
}

size_t device_rules_program(const struct device_rules *t, struct bpf_insn **out)
{
	struct bpf_insn *p = xalloc((6 + t->n * DEVICE_RULE_INSNS + 2) * sizeof(*p));
	size_t n = prologue(p);

	for (size_t i = t->n; i-- > 0;)
		n += rule(p + n, &t->v[i]);
	n += verdict(p + n, t->allow_all);
	*out = p;
	return n;
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int) syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(const struct bpf_insn *insns, size_t n)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t) insns;
	attr.insn_cnt = (uint32_t) n;
	attr.license = (uintptr_t) "Apache-2.0";
	memcpy(attr.prog_name, "carrel_devices", sizeof("carrel_devices"));
	return bpf(BPF_PROG_LOAD, &attr);
}

enum { MAX_OLD = 16 };

static int query(int cgroup_fd, uint32_t ids[MAX_OLD], uint32_t *n, struct err *e)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t) cgroup_fd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t) ids;
	attr.query.prog_cnt = MAX_OLD;
	if (bpf(BPF_PROG_QUERY, &attr) < 0)
		return err_sys(e,
			       "linux.resources.devices: query the cgroup's device programs");
	*n = attr.query.prog_cnt;
	return 0;
}

static int detach(int cgroup_fd, uint32_t id, struct err *e)
{
	union bpf_attr attr;
	auto_close int fd = -1;

	memset(&attr, 0, sizeof(attr));
	attr.prog_id = id;
	fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (fd < 0)
		return err_sys(e, "linux.resources.devices: open device program %u", id);
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t) cgroup_fd;
	attr.attach_bpf_fd = (uint32_t) fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	if (bpf(BPF_PROG_DETACH, &attr) < 0)
		return err_sys(e, "linux.resources.devices: detach device program %u", id);
	return 0;
}

/* MULTI: a nested runtime may add programs below us, and every one of them must agree. */
static int attach(int cgroup_fd, int prog_fd, struct err *e)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t) cgroup_fd;
	attr.attach_bpf_fd = (uint32_t) prog_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (bpf(BPF_PROG_ATTACH, &attr) < 0)
		return err_sys(e, "linux.resources.devices: attach the device program");
	return 0;
}

int device_rules_attach(const struct device_rules *t, int cgroup_fd, bool reused, bool rootless,
			struct err *e)
{
	auto_free struct bpf_insn *insns = NULL;
	auto_close int prog = -1;
	uint32_t old[MAX_OLD], n_old = 0;
	size_t n;

	if (cgroup_fd < 0)
		return -1;
	n = device_rules_program(t, &insns);
	prog = load(insns, n);
	if (prog < 0 && rootless && errno == EPERM) {
		log_debug("devices are left to file permissions: this user may not load eBPF");
		return 0;
	}
	if (prog < 0 && errno == ENOSYS)
		return err_set(e, ENOSYS,
			       "linux.resources.devices: the kernel has no bpf(2), which "
			       "cgroup v2 needs for device rules");
	if (prog < 0)
		return err_sys(
			e,
			"linux.resources.devices: load the device program (%zu instructions)",
			n);
	/* The new one is in force before the old ones go. */
	if (reused && query(cgroup_fd, old, &n_old, e) < 0)
		return -1;
	if (attach(cgroup_fd, prog, e) < 0)
		return -1;
	for (uint32_t i = 0; i < n_old && i < MAX_OLD; i++)
		if (detach(cgroup_fd, old[i], e) < 0)
			return -1;
	return 0;
}
