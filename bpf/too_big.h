/* SPDX-License-Identifier: GPL-2.0-only OR BSD-3-Clause */
/*
 * "Packet too big" about a segment of a spliced pair: it is the other peer who has to send less.
 * The quoted segment becomes what that peer has sent, which it checks against its own numbers.
 */
#ifndef BPF_TOO_BIG_H
#define BPF_TOO_BIG_H

#include "flows.h"

#define ICMP_UNREACHABLE 3
#define ICMP_TOO_BIG 4 /* code of the above */
#define ICMP6_TOO_BIG 2

struct icmp_head {
	__u8 type, code;
	__be16 check;
	__be32 mtu;
};

struct quote4 {
	struct iphdr ip;
	__be16 sport, dport;
	__be32 seq;
};

struct quote6 {
	struct ipv6hdr ip;
	__be16 sport, dport;
	__be32 seq;
};

static __always_inline __u16 ip4_check(const struct iphdr *ip)
{
	__s64 sum = bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0);

	sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff);
	return ~sum;
}

static __always_inline int too_big4(struct __sk_buff *skb)
{
	const __u32 at_icmp = ETH_HLEN + sizeof(struct iphdr),
		    at_quote = at_icmp + sizeof(struct icmp_head);
	struct quote4 old, new;
	struct npx_key key = {.family = 4};
	struct icmp_head icmp;
	struct npx_flow *f;
	struct iphdr ip;
	__be32 to[2];
	__s64 diff;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.protocol != IPPROTO_ICMP ||
	    ip.ihl != 5 || ip.frag_off & bpf_htons(IP_OFFSET | IP_MF) ||
	    bpf_skb_load_bytes(skb, at_icmp, &icmp, sizeof(icmp)) ||
	    icmp.type != ICMP_UNREACHABLE || icmp.code != ICMP_TOO_BIG ||
	    bpf_skb_load_bytes(skb, at_quote, &old, sizeof(old)) ||
	    old.ip.protocol != IPPROTO_TCP || old.ip.ihl != 5)
		return TC_ACT_UNSPEC;
	key.saddr[0] = old.ip.daddr;
	key.daddr[0] = old.ip.saddr;
	key.sport = old.dport;
	key.dport = old.sport;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f || f->state != NPX_SPLICE)
		return TC_ACT_UNSPEC;
	new = old;
	new.ip.saddr = f->out.daddr[0];
	new.ip.daddr = f->out.saddr[0];
	new.ip.check = 0;
	new.ip.check = ip4_check(&new.ip);
	new.sport = f->out.dport;
	new.dport = f->out.sport;
	new.seq = bpf_htonl(bpf_ntohl(old.seq) + f->dack);
	to[0] = f->out.saddr[0];
	to[1] = f->out.daddr[0];
	diff = bpf_csum_diff((__be32 *)&old, sizeof(old), (__be32 *)&new, sizeof(new), 0);
	if (bpf_l4_csum_replace(skb, at_icmp + offsetof(struct icmp_head, check), 0, diff, 0) ||
	    bpf_skb_store_bytes(skb, at_quote, &new, sizeof(new), 0))
		return TC_ACT_SHOT;
	diff = bpf_csum_diff((__be32 *)&ip.saddr, 8, to, 8, 0);
	if (bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, saddr), to, 8, 0) ||
	    bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), 0, diff, 0))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(f->oif, NULL, 0, 0);
}

static __always_inline int too_big6(struct __sk_buff *skb)
{
	const __u32 at_icmp = ETH_HLEN + sizeof(struct ipv6hdr),
		    at_quote = at_icmp + sizeof(struct icmp_head);
	const __u32 at_check = at_icmp + offsetof(struct icmp_head, check);
	struct quote6 old, new;
	struct npx_key key = {.family = 6};
	struct icmp_head icmp;
	struct npx_flow *f;
	struct ipv6hdr ip;
	__s64 diff;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.nexthdr != IPPROTO_ICMPV6 ||
	    bpf_skb_load_bytes(skb, at_icmp, &icmp, sizeof(icmp)) || icmp.type != ICMP6_TOO_BIG ||
	    bpf_skb_load_bytes(skb, at_quote, &old, sizeof(old)) || old.ip.nexthdr != IPPROTO_TCP)
		return TC_ACT_UNSPEC;
	__builtin_memcpy(key.saddr, &old.ip.daddr, 16);
	__builtin_memcpy(key.daddr, &old.ip.saddr, 16);
	key.sport = old.dport;
	key.dport = old.sport;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f || f->state != NPX_SPLICE)
		return TC_ACT_UNSPEC;
	new = old;
	__builtin_memcpy(&new.ip.saddr, f->out.daddr, 16);
	__builtin_memcpy(&new.ip.daddr, f->out.saddr, 16);
	new.sport = f->out.dport;
	new.dport = f->out.sport;
	new.seq = bpf_htonl(bpf_ntohl(old.seq) + f->dack);
	diff = bpf_csum_diff((__be32 *)&old, sizeof(old), (__be32 *)&new, sizeof(new), 0);
	if (bpf_l4_csum_replace(skb, at_check, 0, diff, 0) ||
	    bpf_skb_store_bytes(skb, at_quote, &new, sizeof(new), 0))
		return TC_ACT_SHOT;
	diff = bpf_csum_diff((__be32 *)&ip.saddr, 32, (__be32 *)f->out.saddr, 32, 0);
	if (bpf_l4_csum_replace(skb, at_check, 0, diff, BPF_F_PSEUDO_HDR))
		return TC_ACT_SHOT;
	(void)bpf_csum_update(skb, diff);
	if (bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr), f->out.saddr, 32,
				0))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(f->oif, NULL, 0, 0);
}

static __always_inline int too_big(struct __sk_buff *skb)
{
	if (skb->vlan_present)
		return TC_ACT_UNSPEC;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return too_big4(skb);
	return skb->protocol == bpf_htons(ETH_P_IPV6) ? too_big6(skb) : TC_ACT_UNSPEC;
}

#endif
