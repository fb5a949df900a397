// SPDX-License-Identifier: BSD-3-Clause
#include "kern/sockmapobj.h"

#include "base/err.h"
#include "kern/bpfblob.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct bpf_map *sized_map(struct bpf_object *obj, const char *name, unsigned int nr)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, name);

	return map && !bpf_map__set_max_entries(map, nr) ? map : NULL;
}

static void *map_memory(const struct bpf_map *map, size_t len)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

/* A record takes 16 bytes with its header; the size is a power of two, and a page at least. */
static unsigned int events_size(unsigned int nr_slots)
{
	unsigned int size = (unsigned int)sysconf(_SC_PAGESIZE);

	while (size < nr_slots * 16)
		size *= 2;
	return size;
}

static int take_event(void *ctx, void *data, size_t size)
{
	struct np_sockmapobj *o = ctx;
	uint32_t slot;

	if (size < sizeof(slot))
		return 0;
	memcpy(&slot, data, sizeof(slot));
	o->on_event(slot);
	return 0;
}

static int load(struct np_sockmapobj *o, struct np_err *err)
{
	struct bpf_map *socks = sized_map(o->obj, "socks", o->nr_slots);
	struct bpf_map *refs = sized_map(o->obj, "refs", o->nr_slots);
	struct bpf_map *slots = sized_map(o->obj, "slots", o->nr_slots);
	struct bpf_map *shared = sized_map(o->obj, "shared", 1);
	struct bpf_map *events = sized_map(o->obj, "events", events_size(o->nr_slots));
	struct bpf_program *prog = bpf_object__find_program_by_name(o->obj, "np_sockmap");
	int ret;

	if (!socks || !refs || !slots || !shared || !events || !prog)
		return np_fail(err, -EINVAL, "sockmap program: not the one that was built");
	ret = bpf_object__load(o->obj);
	if (ret == -EPERM)
		return np_fail(err, ret, "sockmap program: needs CAP_BPF and CAP_NET_ADMIN");
	if (ret)
		return np_fail_errno(err, ret, "sockmap program: the kernel does not take it");
	o->socks = bpf_map__fd(socks);
	o->refs = bpf_map__fd(refs);
	o->slots = map_memory(slots, o->nr_slots * sizeof(*o->slots));
	o->shared = map_memory(shared, sizeof(*o->shared));
	o->events = ring_buffer__new(bpf_map__fd(events), take_event, o, NULL);
	if (!o->slots || !o->shared || !o->events)
		return np_fail_errno(err, errno, "sockmap program: its state cannot be mapped");
	/* Without this attach type, before 5.13, the verdict would need a parser in front of it. */
	ret = bpf_prog_attach(bpf_program__fd(prog), o->socks, BPF_SK_SKB_VERDICT, 0);
	if (ret)
		return np_fail_errno(err, ret, "sockmap program: cannot be attached");
	return 0;
}

int np_sockmapobj_open(struct np_sockmapobj *o, unsigned int nr_slots,
		       void (*on_event)(unsigned int slot), struct np_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "knp_sockmap");
	libbpf_print_fn_t old = libbpf_set_print(NULL);
	const void *elf;
	size_t len;
	int ret;

	memset(o, 0, sizeof(*o));
	o->nr_slots = nr_slots;
	o->on_event = on_event;
	elf = np_bpfblob_sockmap(&len);
	o->obj = bpf_object__open_mem(elf, len, &opts);
	ret = o->obj ? load(o, err) : np_fail_errno(err, errno, "sockmap program: cannot be read");
	libbpf_set_print(old);
	if (ret)
		np_sockmapobj_close(o);
	return ret;
}

void np_sockmapobj_close(struct np_sockmapobj *o)
{
	if (o->slots)
		munmap(o->slots, o->nr_slots * sizeof(*o->slots));
	if (o->shared)
		munmap(o->shared, sizeof(*o->shared));
	ring_buffer__free(o->events);
	bpf_object__close(o->obj);
	memset(o, 0, sizeof(*o));
}

int np_sockmapobj_refer(struct np_sockmapobj *o, uint64_t cookie, unsigned int slot)
{
	struct npsm_ref ref = {slot, o->slots[slot].generation};

	return bpf_map_update_elem(o->refs, &cookie, &ref, BPF_ANY);
}

void np_sockmapobj_unrefer(struct np_sockmapobj *o, uint64_t cookie)
{
	(void)bpf_map_delete_elem(o->refs, &cookie);
}

int np_sockmapobj_insert(struct np_sockmapobj *o, unsigned int slot, int fd)
{
	uint32_t key = slot;
	uint64_t value = (uint64_t)fd;

	return bpf_map_update_elem(o->socks, &key, &value, BPF_NOEXIST);
}

void np_sockmapobj_remove(struct np_sockmapobj *o, unsigned int slot)
{
	uint32_t key = slot;

	(void)bpf_map_delete_elem(o->socks, &key);
}

int np_sockmapobj_events_fd(const struct np_sockmapobj *o)
{
	return ring_buffer__epoll_fd(o->events);
}

void np_sockmapobj_read_events(struct np_sockmapobj *o)
{
	(void)ring_buffer__consume(o->events);
}
