use proptest::prelude::*;

use super::Snapshot;
use crate::table::any::Dice;

proptest! {
    // Each is all that a snapshot can hold, a few times.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(seed in any::<u64>()) {
        let snapshot: Snapshot = Dice::new(seed).any();
        let text = serde_json::to_string(&snapshot).unwrap();
        let read: Snapshot = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(read, snapshot);
    }
}
