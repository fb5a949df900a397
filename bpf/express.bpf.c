// SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause
/*
 * TCP splice by header translation at tc ingress; npbpf/express.h has the rules of the translation.
 *
 * np_express sits on every interface that serves a spliced pair. What it does not know continues on
 * its way (TC_ACT_UNSPEC), so that other people's filters see it. np_replay sits on the relay's TAP
 * device, by which held segments leave the kernel and return to it.
 */
#include "flows.h"
#include "too_big.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_MIN 20
#define TCP_MAX 60
#define OPT_NOP 1
#define OPT_SACK 5
#define OPT_TIMESTAMP 8
#define NEW_TTL 64 /* as if the segment began here, which is what both peers believe */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A TCP header before and after; one per CPU, since the options are written at offsets that the
 * stack does not allow. */
struct scratch {
	__u8 old[64];
	__u8 new[64];
	__u8 room[16]; /* what the verifier believes an option at offset 63 could reach */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* What one segment says, in host byte order. */
struct seg {
	struct npx_key key;
	__u32 l4;   /* offset of the TCP header */
	__u32 thl;  /* its length */
	__u32 plen; /* payload */
	__u32 seq, ack, window;
	__u8 flags;
	bool is_fragment;
};

static __always_inline bool before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

static __always_inline int parse_ip4(struct __sk_buff *skb, struct seg *s, __u32 *len)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETH_HLEN;

	if ((void *)(ip + 1) > end)
		return -1;
	if (ip->protocol != IPPROTO_TCP || ip->ihl != 5 || ip->frag_off & bpf_htons(IP_OFFSET))
		return -1;
	s->is_fragment = ip->frag_off & bpf_htons(IP_MF);
	s->key.family = 4;
	s->key.saddr[0] = ip->saddr;
	s->key.daddr[0] = ip->daddr;
	s->l4 = ETH_HLEN + sizeof(*ip);
	*len = bpf_ntohs(ip->tot_len);
	if (*len)
		*len -= sizeof(*ip);
	return 0;
}

static __always_inline int parse_ip6(struct __sk_buff *skb, struct seg *s, __u32 *len)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip = data + ETH_HLEN;

	if ((void *)(ip + 1) > end || ip->nexthdr != IPPROTO_TCP)
		return -1;
	s->key.family = 6;
	__builtin_memcpy(s->key.saddr, &ip->saddr, sizeof(s->key.saddr));
	__builtin_memcpy(s->key.daddr, &ip->daddr, sizeof(s->key.daddr));
	s->l4 = ETH_HLEN + sizeof(*ip);
	*len = bpf_ntohs(ip->payload_len);
	return 0;
}

/* 0 when it is a TCP segment that can be looked up. A length of 0 in the IP header means that the
 * skb knows better. */
static __always_inline int parse(struct __sk_buff *skb, struct seg *s)
{
	bool is_ip4 = skb->protocol == bpf_htons(ETH_P_IP);
	__u32 need = ETH_HLEN + TCP_MIN + (is_ip4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	__u32 len = 0;
	struct tcphdr t;

	/* The tag of a VLAN was taken off: its own interface sees the segment next. */
	if (skb->vlan_present || (!is_ip4 && skb->protocol != bpf_htons(ETH_P_IPV6)))
		return -1;
	if (skb->data + need > skb->data_end && (skb->len < need || bpf_skb_pull_data(skb, need)))
		return -1;
	__builtin_memset(s, 0, sizeof(*s));
	if (is_ip4 ? parse_ip4(skb, s, &len) : parse_ip6(skb, s, &len))
		return -1;
	if (bpf_skb_load_bytes(skb, s->l4, &t, sizeof(t)))
		return -1;
	s->key.sport = t.source;
	s->key.dport = t.dest;
	s->thl = t.doff * 4;
	if (!len)
		len = skb->len - s->l4;
	s->plen = len - s->thl;
	s->seq = bpf_ntohl(t.seq);
	s->ack = bpf_ntohl(t.ack_seq);
	s->window = bpf_ntohs(t.window);
	s->flags = ((__u8 *)&t)[13];
	if (s->thl < TCP_MIN || len < s->thl || s->l4 + len > skb->len)
		s->thl = 0; /* malformed: the caller decides */
	return 0;
}

static __always_inline void reverse_key(const struct npx_flow *f, struct npx_key *k)
{
	__builtin_memcpy(k->saddr, f->out.daddr, sizeof(k->saddr));
	__builtin_memcpy(k->daddr, f->out.saddr, sizeof(k->daddr));
	k->sport = f->out.dport;
	k->dport = f->out.sport;
	k->family = f->out.family;
}

static __always_inline __u32 data_end(const struct npx_flow *f)
{
	return f->isn + (__u32)f->pos;
}

/* The number behind everything that this peer sent, its FIN included. */
static __always_inline __u32 sent_end(const struct npx_flow *f)
{
	__u32 end = data_end(f);

	return f->marks & NPX_M_FIN && f->fin_end == end + 1 ? end + 1 : end;
}

static __always_inline __u32 slack(const struct npx_flow *f)
{
	return f->win_max > NPX_MIN_WINDOW ? f->win_max : NPX_MIN_WINDOW;
}

/* Would a socket in our place look at this segment? @r is the opposite direction. Liberal: the end
 * point checks again. */
static __always_inline bool fits(const struct npx_flow *f, const struct npx_flow *r,
				 const struct seg *s)
{
	__u32 seq = s->seq + f->dseq, end = seq + s->plen, ack = s->ack + f->dack;

	if (before(end, r->ack - slack(r)) || before(r->edge + NPX_MIN_WINDOW, seq))
		return false;
	if (!(s->flags & TCP_ACK))
		return s->flags & TCP_RST;
	return !before(sent_end(r), ack) && !before(s->ack, f->ack - slack(f));
}

/* A reset counts only where the end point would believe it: not before what it acknowledged, not
 * after what was sent. */
static __always_inline bool is_sound_reset(const struct npx_flow *f, const struct npx_flow *r,
					   const struct seg *s)
{
	return !before(s->seq + f->dseq, r->ack) && !before(sent_end(f), s->seq);
}

static __always_inline void note(struct npx_flow *f, const struct npx_flow *r, const struct seg *s)
{
	__u32 window = s->window << f->wscale_in, end = s->seq + s->plen;
	__s32 advance = (__s32)(end - data_end(f));

	if (s->flags & TCP_RST) {
		if (is_sound_reset(f, r, s))
			f->marks |= NPX_M_RST;
		return;
	}
	if (advance > 0) {
		f->pos += (__u32)advance;
		f->last_ns = bpf_ktime_get_coarse_ns();
	}
	if (s->flags & TCP_FIN) {
		f->fin_end = end + 1;
		f->marks |= NPX_M_FIN;
	}
	if (before(f->ack, s->ack))
		f->ack = s->ack;
	if (before(f->edge, s->ack + window))
		f->edge = s->ack + window;
	if (window > f->win_max)
		f->win_max = window;
	f->packets++;
}

static __always_inline __u32 get32(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

static __always_inline void put32(__u8 *p, __u32 v)
{
	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

static __always_inline void put_timestamps(struct npx_flow *f, const struct npx_flow *r, __u8 *opt)
{
	__u32 val = get32(opt + 2), ecr = get32(opt + 6);

	if (!(f->marks & NPX_M_TS_KNOWN)) {
		f->dtsv = f->tsbase - val;
		f->marks |= NPX_M_TS_KNOWN;
	}
	put32(opt + 2, val + f->dtsv);
	/* Until the other clock is known its echo would mislead: 0 stands for no echo. */
	put32(opt + 6, ecr && r->marks & NPX_M_TS_KNOWN ? ecr - r->dtsv : 0);
}

/* Compilers drop a mask that they can prove redundant; the verifier needs it all the same. */
#define BOUND(off) asm volatile("%0 &= 63" : "+r"(off))

static __always_inline void put_options(struct npx_flow *f, const struct npx_flow *r, __u8 *hdr,
					__u32 thl)
{
	__u32 off = TCP_MIN, at;
	__u8 kind, len;
	int i, block;

	for (i = 0; i < TCP_MAX - TCP_MIN; i++) {
		if (off + 1 >= thl || off + 1 >= TCP_MAX)
			return;
		BOUND(off);
		kind = hdr[off];
		if (!kind)
			return;
		if (kind == OPT_NOP) {
			off++;
			continue;
		}
		at = off + 1;
		BOUND(at);
		len = hdr[at];
		if (len < 2 || off + len > thl)
			return;
		if (kind == OPT_TIMESTAMP && len == 10 && f->flags & NPX_F_TIMESTAMPS &&
		    off <= TCP_MAX - 10)
			put_timestamps(f, r, hdr + off);
		for (block = 0; kind == OPT_SACK && block < 4 && 2 + 8 * (block + 1) <= len;
		     block++) {
			at = off + 2 + 8 * block;
			if (at > TCP_MAX - 8)
				break;
			BOUND(at);
			put32(hdr + at, get32(hdr + at) + f->dack);
			at += 4;
			BOUND(at);
			put32(hdr + at, get32(hdr + at) + f->dack);
		}
		off += len;
	}
}

static __always_inline void put_header(struct npx_flow *f, const struct npx_flow *r,
				       const struct seg *s, __u8 *hdr)
{
	static const __u8 just_timestamps[4] = {OPT_NOP, OPT_NOP, OPT_TIMESTAMP, 10};
	struct tcphdr *t = (struct tcphdr *)hdr;
	__u32 window = (s->window << f->wscale_in) >> f->wscale_out;

	if (window > 65535)
		window = 65535;
	if (!window && s->window)
		window = 1; /* rounding must not close it: nothing would ever open it again */
	t->source = f->out.sport;
	t->dest = f->out.dport;
	t->seq = bpf_htonl(s->seq + f->dseq);
	if (s->flags & TCP_ACK)
		t->ack_seq = bpf_htonl(s->ack + f->dack);
	t->window = bpf_htons(window);
	if (s->thl == TCP_MIN)
		return;
	if (s->thl == TCP_MIN + 12 && f->flags & NPX_F_TIMESTAMPS &&
	    *(__u32 *)(hdr + TCP_MIN) == *(const __u32 *)just_timestamps)
		put_timestamps(f, r, hdr + TCP_MIN + 2);
	else
		put_options(f, r, hdr, s->thl);
}

/* The header of @thl bytes at @l4 becomes sc->new. Return: the checksum difference, or negative. */
static __always_inline __s64 swap_header(struct __sk_buff *skb, struct npx_flow *f,
					 const struct npx_flow *r, const struct seg *s,
					 struct scratch *sc)
{
	__u32 thl = s->thl;

	BOUND(thl);
	if (thl < TCP_MIN || thl > TCP_MAX)
		return -1;
	__builtin_memset(sc->old, 0, sizeof(sc->old));
	if (bpf_skb_load_bytes(skb, s->l4, sc->old, thl))
		return -1;
	__builtin_memcpy(sc->new, sc->old, sizeof(sc->new));
	put_header(f, r, s, sc->new);
	thl = s->thl;
	BOUND(thl);
	if (thl < TCP_MIN || thl > TCP_MAX)
		return -1;
	if (bpf_skb_store_bytes(skb, s->l4, sc->new, thl, 0))
		return -1;
	return bpf_csum_diff((__be32 *)sc->old, sizeof(sc->old), (__be32 *)sc->new, sizeof(sc->new),
			     0);
}

/*
 * The order (TCP header, then addresses with BPF_F_PSEUDO_HDR) is right for complete and for
 * partial checksums. IPv6 has no header checksum that would make up for the addresses, so a
 * checksum of the whole frame stays as it was; the helper believes otherwise and is corrected.
 */
static __always_inline int put_addresses(struct __sk_buff *skb, const struct npx_flow *f,
					 const struct seg *s, __s64 tcp_diff)
{
	__u32 at = s->l4 + offsetof(struct tcphdr, check), old_ttl, new_ttl;
	__u8 ttl = NEW_TTL;
	__s64 diff;

	if (bpf_l4_csum_replace(skb, at, 0, tcp_diff, 0))
		return -1;
	if (s->key.family == 6) {
		diff = bpf_csum_diff((__be32 *)s->key.saddr, 32, (__be32 *)f->out.saddr, 32, 0);
		if (bpf_l4_csum_replace(skb, at, 0, diff, BPF_F_PSEUDO_HDR))
			return -1;
		(void)bpf_csum_update(skb, diff);
		if (bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, hop_limit), &ttl,
					1, 0))
			return -1;
		return bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr),
					   f->out.saddr, 32, 0);
	}
	__be32 from[2] = {s->key.saddr[0], s->key.daddr[0]},
	       to[2] = {f->out.saddr[0], f->out.daddr[0]};

	diff = bpf_csum_diff(from, 8, to, 8, 0);
	if (bpf_l4_csum_replace(skb, at, 0, diff, BPF_F_PSEUDO_HDR) ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, saddr), to, 8, 0) ||
	    bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), 0, diff, 0))
		return -1;
	/* TTL, protocol, checksum: one word of the header; only the TTL differs. */
	if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct iphdr, ttl), &old_ttl, 4))
		return -1;
	new_ttl = old_ttl;
	*(__u8 *)&new_ttl = ttl;
	if (new_ttl == old_ttl)
		return 0;
	diff = bpf_csum_diff(&old_ttl, 4, &new_ttl, 4, 0);
	if (bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, ttl), &ttl, 1, 0))
		return -1;
	return bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), 0, diff, 0);
}

/* Payload and FIN wait; what changes nothing but the sockets' state may still reach them. */
static __always_inline int hold(struct __sk_buff *skb, struct npx_flow *f, const struct seg *s,
				__u32 tap)
{
	if (!s->thl || s->flags & (TCP_RST | TCP_SYN) || (!s->plen && !(s->flags & TCP_FIN)))
		return TC_ACT_UNSPEC;
	f->iif = skb->ifindex;
	return bpf_redirect(tap, 0);
}

static __always_inline int splice(struct __sk_buff *skb, struct npx_flow *f, const struct seg *s)
{
	struct npx_key rkey;
	struct npx_flow *r;
	struct scratch *sc;
	__u32 zero = 0;
	__s64 diff;

	if (s->flags & TCP_SYN) {
		/* The stack may answer; the peer of a living connection answers that, and all goes
		 * on. */
		f->marks |= NPX_M_SYN;
		return TC_ACT_UNSPEC;
	}
	reverse_key(f, &rkey);
	r = bpf_map_lookup_elem(&flows, &rkey);
	sc = bpf_map_lookup_elem(&scratch, &zero);
	/* The two entries are not written at once: the second one has just to come. */
	if (r && r->state == NPX_HOLD)
		return hold(skb, f, s, r->tap);
	if (!r || !sc || r->state != NPX_SPLICE || !s->thl || s->is_fragment)
		return TC_ACT_SHOT;
	if (!fits(f, r, s)) {
		f->refused++;
		/* A new connection of the same tuple, which the stack has agreed to, is the
		 * stack's. */
		return f->marks & NPX_M_SYN ? TC_ACT_UNSPEC : TC_ACT_SHOT;
	}
	note(f, r, s);
	diff = swap_header(skb, f, r, s, sc);
	if (diff < 0 || put_addresses(skb, f, s, diff))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(f->oif, NULL, 0, 0);
}

SEC("tc")
int np_express(struct __sk_buff *skb)
{
	bool is_replayed = skb->mark == NPX_REPLAY_MARK;
	struct npx_flow *f;
	struct seg s;

	if (is_replayed)
		skb->mark = 0;
	if (parse(skb, &s))
		return too_big(skb);
	f = bpf_map_lookup_elem(&flows, &s.key);
	if (!f)
		return TC_ACT_UNSPEC;
	if (f->state == NPX_SPLICE && !(f->flags & NPX_F_PARK))
		return splice(skb, f, &s);
	if (f->state == NPX_PASS || is_replayed)
		return TC_ACT_UNSPEC;
	if (bpf_ktime_get_ns() > f->hold_until)
		return f->state == NPX_SPLICE ? splice(skb, f, &s) : TC_ACT_UNSPEC;
	if (f->state == NPX_SPLICE && !s.plen)
		return splice(skb, f, &s);
	return hold(skb, f, &s, f->tap);
}

/* A spliced pair's segment goes on from here; a socket's returns to the interface where it came in.
 */
SEC("tc")
int np_replay(struct __sk_buff *skb)
{
	struct npx_flow *f;
	struct seg s;

	if (parse(skb, &s))
		return TC_ACT_SHOT;
	f = bpf_map_lookup_elem(&flows, &s.key);
	if (!f)
		return TC_ACT_SHOT;
	if (s.flags == NPX_REPLAY_END) {
		f->flags &= ~NPX_F_PARK;
		return TC_ACT_SHOT;
	}
	if (f->state == NPX_SPLICE)
		return splice(skb, f, &s);
	skb->mark = NPX_REPLAY_MARK;
	return bpf_redirect(f->iif, BPF_F_INGRESS);
}
