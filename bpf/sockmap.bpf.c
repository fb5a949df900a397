// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * Verdict on what arrives at a socket of a pair: on to the peer's socket, or up to user space.
 * There is no parser: the kernel's parser path counts wrongly when the two are mixed. See
 * npbpf/sockmap.h for the counters.
 */
#include "npbpf/sockmap.h"

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* What one call may cut off, and how many calls the largest packet (BIG TCP) takes. */
#define TRIM_MAX 4095
#define TRIMS_MAX 160

/* Of the kernel's struct only what is read here; libbpf finds the place. */
struct tcp_sock {
	__u32 write_seq, copied_seq;
} __attribute__((preserve_access_index));

/* User space lowers max_entries of all three to the descriptors it may have, see NPSM_MAX_SLOTS. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, NPSM_MAX_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} socks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, NPSM_MAX_SLOTS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct npsm_ref);
} refs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NPSM_MAX_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct npsm_slot);
} slots SEC(".maps");

/* One entry: common to all pairs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct npsm_shared);
} shared SEC(".maps");

/*
 * Slots whose bytes were passed while user space does not watch the socket: to watch it all the
 * time would wake the process for each redirected packet. A slot is in it once at most, see
 * "noticed", so that user space can make it large enough for all.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, NPSM_MAX_SLOTS * 16);
} events SEC(".maps");

/* Redirected bytes that the peer's TCP has not taken yet; negative when it cannot be told. */
static __always_inline __s64 owed(struct npsm_slot *slot, __u32 peer)
{
	struct bpf_sock *sk = bpf_map_lookup_elem(&socks, &peer);
	struct tcp_sock *tcp;
	__u32 seq, back;

	if (!sk)
		return -1;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (!tcp) {
		bpf_sk_release(sk);
		return -1;
	}
	seq = tcp->write_seq;
	bpf_sk_release(sk);
	/*
	 * Nothing is on its way at the first redirection, so what user space sent is all there is.
	 */
	if (!(slot->marks & NPSM_HAS_BASE)) {
		slot->base = seq - (__u32)slot->consumed;
		slot->marks |= NPSM_HAS_BASE;
	}
	back = (__u32)slot->redir + (__u32)slot->consumed - (seq - slot->base);
	return back < 0x80000000 ? back : 0;
}

/*
 * Redirected bytes leave the sender's window at once and are nobody's memory until the peer takes
 * them.
 */
static __always_inline int has_room(struct npsm_slot *slot, __u32 peer, __u32 len)
{
	__s64 back = owed(slot, peer), cost;
	struct npsm_shared *all;
	__u32 zero = 0;

	all = bpf_map_lookup_elem(&shared, &zero);
	if (back < 0 || !all)
		return 0;
	if (!back)
		slot->nr_out = 0;
	cost = back + slot->nr_out * NPSM_PACKET_COST;
	if (cost > all->limit || all->charged > all->budget) {
		slot->nr_guarded++;
		return 0;
	}
	slot->nr_out++;
	cost += len + NPSM_PACKET_COST;
	if (cost < NPSM_FREE_COST)
		cost = 0;
	cost -= slot->charged;
	if (cost) {
		__sync_fetch_and_add(&slot->charged, (__s32)cost);
		__sync_fetch_and_add(&all->charged, cost);
	}
	return 1;
}

/*
 * The kernel hands over whole packets, also those that begin with bytes which were there before: a
 * retransmission in other pieces, or a packet of which user space had read a part before the join.
 * A reader of the socket skips them, here they would be doubled. The control block of a packet in
 * TCP's receive queue begins with the numbers of its first byte and of the one behind its last.
 */
static __always_inline int skip_old_bytes(struct __sk_buff *skb, struct npsm_slot *slot)
{
	__u32 old, piece, end = skb->cb[1], i;

	if (!(slot->marks & NPSM_HAS_NEXT)) {
		struct bpf_sock *sk = skb->sk;
		struct tcp_sock *tcp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;

		if (!tcp)
			return -1;
		slot->next = tcp->copied_seq;
		slot->marks |= NPSM_HAS_NEXT;
	}
	old = slot->next - skb->cb[0];
	if (old > skb->len)
		return -1;
	for (i = 0; i < TRIMS_MAX && old; i++) {
		piece = old < TRIM_MAX ? old : TRIM_MAX;
		if (bpf_skb_adjust_room(skb, -(__s32)piece, 0, 0))
			return -1;
		old -= piece;
	}
	slot->next = end;
	return old ? -1 : 0;
}

/* The exchange is a full barrier: user space clears it, then reads "pass", and misses nothing. */
static __always_inline void notice(struct npsm_slot *slot, __u32 at)
{
	if (!__sync_lock_test_and_set(&slot->noticed, 1))
		bpf_ringbuf_output(&events, &at, sizeof(at), 0);
}

SEC("sk_skb")
int np_sockmap(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb);
	struct npsm_ref *ref = bpf_map_lookup_elem(&refs, &cookie);
	struct npsm_slot *slot;
	__u32 at, peer, len;

	/*
	 * A bare FIN. Redirected, it would stop the peer's transmission with EPIPE; the socket's
	 * state tells it.
	 */
	if (!skb->len)
		return SK_DROP;
	if (!ref)
		return SK_PASS;
	at = ref->slot;
	peer = at ^ 1;
	slot = bpf_map_lookup_elem(&slots, &at);
	if (!slot || slot->generation != ref->generation)
		return SK_PASS;
	/* Passed, it makes user space see the mark. */
	if ((slot->marks & NPSM_BROKEN) || skip_old_bytes(skb, slot)) {
		slot->marks |= NPSM_BROKEN;
		notice(slot, at);
		return SK_PASS;
	}
	len = skb->len;
	if (!len)
		return SK_DROP;
	slot->last_ns = bpf_ktime_get_ns();
	if (!slot->active || slot->pass != slot->consumed || !has_room(slot, peer, len)) {
		slot->pass += len;
		notice(slot, at);
		return SK_PASS;
	}
	slot->redir += len;
	return bpf_sk_redirect_map(skb, &socks, peer, 0);
}
