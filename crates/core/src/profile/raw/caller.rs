//! `[caller]` as written.

use crate::profile::from_node::{DottedTexts, MetadataValue};
use crate::profile::settings::caller::CallerKind;
use crate::profile::table::raw_table;

raw_table! {
    /// Who the caller is, as the agent sees it.
    RawCaller {
        /// The kind of participant that the caller is; `sip` adds the attributes `sip.callID` and `sip.callStatus` unless they are given.
        kind: CallerKind,
        /// Its name.
        name: String,
        /// Its metadata: a text, which is sent as it is, or a table, which is sent as a JSON object.
        metadata: MetadataValue,
        /// Its attributes, such as `"sip.phoneNumber" = "+4930123{run}"`.
        attributes: DottedTexts,
    }
}
