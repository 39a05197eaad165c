//! Calls by RPC, as far as both directions need to know of them (LiveKit protocol, `livekit_models.proto`,
//! `RpcRequest`, `RpcAck` and `RpcResponse`).

/// The version of calls that participants understand.
pub(super) const RPC_VERSION: u32 = 1;

/// Why a call by RPC has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RpcFailure {
    /// The participant has no method of this name.
    UnsupportedMethod,
    /// The participant does not understand this version of the call.
    UnsupportedVersion,
}

impl RpcFailure {
    /// LiveKit's code.
    pub const fn code(self) -> u32 {
        match self {
            Self::UnsupportedMethod => 1400,
            Self::UnsupportedVersion => 1404,
        }
    }

    /// LiveKit's message.
    pub const fn message(self) -> &'static str {
        match self {
            Self::UnsupportedMethod => "Method not supported at destination",
            Self::UnsupportedVersion => "Unsupported RPC version",
        }
    }
}
