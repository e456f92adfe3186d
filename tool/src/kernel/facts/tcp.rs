//! What the `tcp` probe's programs need to know of sockets.

use std::collections::HashMap;

use super::{
    super::btf::{BtfError, KernelBtf},
    Facts,
};

/// (fact, structure, member).
const NEEDED: &[(&str, &str, &str)] = &[
    ("SKC_FAMILY", "sock_common", "skc_family"),
    ("SKC_STATE", "sock_common", "skc_state"),
    ("SKC_REMOTE_PORT", "sock_common", "skc_dport"),
    ("SKC_LOCAL_PORT", "sock_common", "skc_num"),
    ("SKC_REMOTE", "sock_common", "skc_daddr"),
    ("SKC_LOCAL", "sock_common", "skc_rcv_saddr"),
    ("SKC_NET", "sock_common", "skc_net.net"),
    ("NET_NUMBER", "net", "ns.inum"),
    ("SK_PROTOCOL", "sock", "sk_protocol"),
    ("SK_SOCKET", "sock", "sk_socket"),
    ("SK_ERROR", "sock", "sk_err"),
    ("SOCKET_STATE", "socket", "state"),
    ("INET_LOCAL_PORT", "inet_sock", "inet_sport"),
    ("ICSK_RETRANSMITS", "inet_connection_sock", "icsk_retransmits"),
    ("ICSK_PENDING", "inet_connection_sock", "icsk_pending"),
    ("ICSK_BACKOFF", "inet_connection_sock", "icsk_backoff"),
    ("TCP_SRTT", "tcp_sock", "srtt_us"),
    ("TCP_CWND", "tcp_sock", "snd_cwnd"),
    ("TCP_SSTHRESH", "tcp_sock", "snd_ssthresh"),
    ("TCP_PACKETS_OUT", "tcp_sock", "packets_out"),
    ("TCP_SACKED_OUT", "tcp_sock", "sacked_out"),
    ("TCP_LOST_OUT", "tcp_sock", "lost_out"),
    ("TCP_RETRANS_OUT", "tcp_sock", "retrans_out"),
    ("TCP_SEGS_OUT", "tcp_sock", "segs_out"),
    ("TCP_TOTAL_RETRANS", "tcp_sock", "total_retrans"),
    ("SK_OWNED", "sock", "sk_lock.owned"),
    ("SKB_LEN", "sk_buff", "len"),
    ("SKB_HEAD", "sk_buff", "head"),
    ("SKB_NETWORK", "sk_buff", "network_header"),
    ("SKB_TRANSPORT", "sk_buff", "transport_header"),
    ("SKB_DEVICE", "sk_buff", "dev"),
    ("SKB_PROTOCOL", "sk_buff", "protocol"),
    ("SKB_SOCKET", "sk_buff", "sk"),
    ("DEVICE_NET", "net_device", "nd_net.net"),
    ("FILE_INODE", "file", "f_inode"),
    ("INODE_MODE", "inode", "i_mode"),
    ("SOCKET_SK", "socket", "sk"),
    ("SK_BACKLOG", "sock", "sk_ack_backlog"),
    ("SK_BACKLOG_LIMIT", "sock", "sk_max_ack_backlog"),
    ("SK_DROPS", "sock", "sk_drops"),
    ("TCP_SEND_WINDOW", "tcp_sock", "snd_wnd"),
    ("REQ_RETRANSMITS", "request_sock", "num_retrans"),
];

impl Facts {
    /// Adds what the `tcp` probe needs.
    pub fn resolve_tcp(&mut self, btf: &KernelBtf) -> Result<(), BtfError> {
        for &(name, of, path) in NEEDED {
            self.word(name, btf.member(of, path)?.offset);
        }
        self.word("ICSK_CA_STATE", btf.member("inet_connection_sock", "icsk_ca_state")?.offset);
        // Absent without CONFIG_IPV6, and then no socket is of that family.
        for (name, member) in [("SKC_REMOTE6", "skc_v6_daddr"), ("SKC_LOCAL6", "skc_v6_rcv_saddr")] {
            self.word(name, btf.member("sock_common", member).map_or(0, |member| member.offset));
        }
        let (socket, inode) =
            (btf.member("socket_alloc", "socket")?.offset, btf.member("socket_alloc", "vfs_inode")?.offset);
        self.word("SOCKET_INODE", inode + btf.member("inode", "i_ino")?.offset - socket);
        self.word("INODE_SOCKET", socket.wrapping_sub(inode));
        let cb = btf.member("sk_buff", "cb")?.offset;
        self.word("SKB_SEGMENTS", cb + btf.member("tcp_skb_cb", "tcp_gso_segs")?.offset);
        self.switch("RETRANSMIT_HAS_ERROR", u8::from(btf.tracepoint("tcp_retransmit_skb")?.len() >= 3));
        let resets = btf.tracepoint("tcp_send_reset").map_or(0, |arguments| arguments.len());
        self.switch("RESET_HAS_REASON", u8::from(resets >= 3));
        let drops = btf.tracepoint("kfree_skb").map_or(0, |arguments| arguments.len());
        self.switch("DROP_HAS_REASON", u8::from(drops >= 3));
        self.switch("DROP_HAS_SOCKET", u8::from(drops >= 4));
        let reasons = btf.enum_values("skb_drop_reason").unwrap_or_default();
        for (name, reason) in [
            ("DROP_UNSPECIFIED", "SKB_DROP_REASON_NOT_SPECIFIED"),
            ("DROP_PURGED", "SKB_DROP_REASON_QUEUE_PURGE"),
            ("DROP_RESET", "SKB_DROP_REASON_TCP_RESET"),
        ] {
            let value = reasons.iter().find(|(name, _)| name == reason).map(|&(_, value)| value);
            if let Some(value) = value.and_then(|value| u32::try_from(value).ok()) {
                self.half(name, value);
            }
        }
        Ok(())
    }
}

/// The kernel's own words for why it did something, by number; none on kernels that do not tell.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    /// [`stillwatch_common::tcp::Reset::reason`].
    pub resets: HashMap<u32, String>,
    /// [`stillwatch_common::tcp::Dropped::reason`]. Those of single subsystems have numbers of their own, and no words here.
    pub drops: HashMap<u32, String>,
}

impl Reasons {
    pub fn resolve(btf: &KernelBtf) -> Self {
        let words = |of: &str, prefix: &str| {
            let values = btf.enum_values(of).unwrap_or_default();
            let reason = |(name, value): (String, i64)| {
                Some((u32::try_from(value).ok()?, name.strip_prefix(prefix)?.to_lowercase().replace('_', " ")))
            };
            values.into_iter().filter_map(reason).collect()
        };
        Self { resets: words("sk_rst_reason", "SK_RST_REASON_"), drops: words("skb_drop_reason", "SKB_DROP_REASON_") }
    }
}

#[cfg(test)]
mod tests {
    use super::Reasons;
    use crate::kernel::{btf::fixture, facts::Facts};

    #[test]
    fn every_kernel_of_the_matrix_has_all_facts() {
        for kernel in fixture::KERNELS {
            let btf = fixture::open(kernel);
            let mut facts = Facts::resolve(&btf).unwrap();
            facts.resolve_tcp(&btf).unwrap_or_else(|error| panic!("{kernel}: {error}"));
            let told = [facts.is_on("DROP_HAS_REASON"), facts.is_on("DROP_HAS_SOCKET")];
            let wanted = match kernel {
                "5.10" => [false, false],
                "6.1" => [true, false],
                _ => [true, true],
            };
            assert_eq!(told, wanted, "{kernel}");
        }
    }

    #[test]
    fn reasons_of_drops_have_words_where_the_kernel_tells_them() {
        for kernel in fixture::KERNELS {
            let reasons = Reasons::resolve(&fixture::open(kernel));
            let known = |words: &str| reasons.drops.values().any(|known| known == words);
            assert_eq!(known("socket filter") && known("no socket"), kernel != "5.10", "{kernel}: {reasons:?}");
        }
    }
}
