//! Bodies of requests and answers, and reports of hosts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model::{report::Report, wire};
use serde::{Serialize, de::DeserializeOwned};

fn check<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, value);
}

fuzz_target!(|bytes: &[u8]| {
    check::<wire::JoinRequest>(bytes);
    check::<wire::JoinResponse>(bytes);
    check::<wire::JoinTokenRequest>(bytes);
    check::<wire::TokenRequest>(bytes);
    check::<wire::PublicationRequest>(bytes);
    check::<wire::WithdrawalRequest>(bytes);
    check::<wire::PromotionRequest>(bytes);
    check::<wire::EstateChangeRequest>(bytes);
    check::<wire::EstateChangeResult>(bytes);
    check::<wire::EstateExport>(bytes);
    check::<wire::KeyTrustRequest>(bytes);
    check::<wire::ChannelCreationRequest>(bytes);
    check::<wire::JobRequest>(bytes);
    check::<wire::ControlPlaneEvent>(bytes);
    check::<wire::ProblemDetails>(bytes);
    check::<Report>(bytes);
});
