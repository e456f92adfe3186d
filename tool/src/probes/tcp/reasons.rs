//! The kernel's own words for why it did something.

use crate::{kernel::btf::KernelBtf, sample::ReasonNames};

pub fn resolve(btf: &KernelBtf) -> ReasonNames {
    let words = |of: &str, prefix: &str| {
        let values = btf.enum_values(of).unwrap_or_default();
        let reason = |(name, value): (String, i64)| {
            Some((u32::try_from(value).ok()?, name.strip_prefix(prefix)?.to_lowercase().replace('_', " ")))
        };
        values.into_iter().filter_map(reason).collect()
    };
    ReasonNames {
        resets: words("sk_rst_reason", "SK_RST_REASON_"),
        drops: words("skb_drop_reason", "SKB_DROP_REASON_"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::fixture;

    #[test]
    fn reasons_of_drops_have_words_where_the_kernel_tells_them() {
        for kernel in fixture::KERNELS {
            let reasons = resolve(&fixture::open(kernel));
            let known = |words: &str| reasons.drops.values().any(|known| known == words);
            assert_eq!(known("socket filter") && known("no socket"), kernel != "5.10", "{kernel}: {reasons:?}");
        }
    }
}
