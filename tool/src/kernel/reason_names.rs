//! The kernel's own words for why it did something.

use std::collections::HashMap;

use super::btf::KernelBtf;

/// Words by number; none on kernels that do not tell.
#[derive(Clone, Debug, Default)]
pub struct ReasonNames {
    /// [`stillwatch_common::tcp::Reset::reason`].
    pub resets: HashMap<u32, String>,
    /// [`stillwatch_common::tcp::Dropped::reason`]. Those of single subsystems have numbers of their own, and no words here.
    pub drops: HashMap<u32, String>,
}

impl ReasonNames {
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
    use super::ReasonNames;
    use crate::kernel::btf::fixture;

    #[test]
    fn reasons_of_drops_have_words_where_the_kernel_tells_them() {
        for kernel in fixture::KERNELS {
            let reasons = ReasonNames::resolve(&fixture::open(kernel));
            let known = |words: &str| reasons.drops.values().any(|known| known == words);
            assert_eq!(known("socket filter") && known("no socket"), kernel != "5.10", "{kernel}: {reasons:?}");
        }
    }
}
