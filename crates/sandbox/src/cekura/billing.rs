//! Billing: the limits of the plan. The amounts are examples, because the sandbox costs nothing.

use serde_json::json;

use crate::config::KeyScope;
use crate::http::SandboxResponse;
use crate::world::World;
use rushhour_core::units::SessionTime;

use super::routes::error_response;

pub(super) fn info(world: &World) -> SandboxResponse {
    let plan = world.config.plan;
    if plan.key == KeyScope::Project {
        return error_response(403, "Project-scoped API keys are not allowed");
    }
    let since = world.anchor.rfc3339(SessionTime::START);
    SandboxResponse::json(
        200,
        &json!({
            "organization": 1,
            "credits_remaining": "10000.00",
            "credits_used": "0.00",
            "initial_balance": "10000.00",
            "balance_expiry": null,
            "subscription_status": {
                "status": "active",
                "is_active": true,
                "is_trial": false,
                "pack_name": "Sandbox",
                "expire_at": null,
                "last_payment_at": null,
                "days_until_expiry": null,
                "created_at": since,
                "pack": {
                    "name": "Sandbox",
                    "max_concurrent_runs_limit": plan.voice_runs,
                    "max_concurrent_chat_runs_limit": plan.chat_runs,
                    "max_agents_limit": -1,
                    "max_members_limit": -1,
                    "max_projects_limit": -1,
                    "billing_type": "subscription",
                    "subscription_overage": "-1",
                },
            },
            "created_at": since,
            "updated_at": since,
        }),
    )
}
