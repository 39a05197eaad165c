//! Rushhour as its users meet it: the binary, whole sessions, real peers.
//!
//! | module | tests |
//! | --- | --- |
//! | `support` | the harness: the binary, profiles, session folders, peers |
//! | `command_line` | messages, exit codes and files |
//! | `services` | services that limit, refuse and misanswer requests |
//! | `sessions`, `resume` | whole sessions against the sandbox, and sessions whose process was killed |
//! | `sandbox` | the sandbox itself |
//! | `schemas`, `junit` | written files against their schemas |
//! | `reports`, `compare_and_merge`, `older_journals` | what is made of journals, down to the page in a browser |
//! | `transcripts` | error rates of transcripts against jiwer |
//! | `paired`, `soak`, `capacity` | voice against chat, long sessions, the search for the capacity |
//! | `participants`, `native_callers`, `judging` | our participants and callers in real rooms, and their runs judged |
//! | `quality` | how an agent sounds and takes turns, against its truth |
//! | `recordings` | conversations that are kept, against the truth and in a browser |
//! | `spoken_scripts` | scripts without clips, in noise, with rules; structured tests as scripts |
//! | `connections` | connections that are lost, and servers that are restarted |
//! | `fleet`, `fleet_sessions` | one session over several machines: workers, NATS, and what is killed meanwhile; second calls and judging |
//! | `networks` | lossy networks of our own callers, and bursts on the server's dispatcher |
//! | `odd_networks` | networks and servers that fail a connection later, or have too little for all |
//! | `calibration_agent` | the agent whose delays and faults are known |
//! | `worker_clocks` | moments from workers whose clocks differ |
//! | `worker_measure` | the agent against which a worker measures its capacity |
//! | `workers_input` | what workers and coordinators are told that does not fit |
//! | `nats`, `nats_logins` | the rights of coordinators and workers on a real nats-server, and every way to log in |
//! | `many_machines` | three workers against one machine, and workers in networks of their own with other clocks |
//! | `doctor`, `sweep`, `token_rooms` | checks before a session, cleaning up after one |
//! | `trust_and_proxies`, `media_paths` | private authorities and proxies; UDP, TCP and TURN |
//! | `resilience` | full disks, signals, killed servers, pairs of faults |
//! | `parsers`, `hostile_input` | bytes from outside |
//! | `hostile_journals`, `hostile_profiles`, `hostile_services` | session folders, profiles and servers that lie |
//! | `hostile_secrets` | keys that services repeat, whole and cut |
//! | `hostile_rooms` | servers that flood |
//! | `forged_journals` | any journal whatever |
//! | `peers` | the real LiveKit server, a real agent worker, Cekura's SDK, other readers of our files |
//! | `frameworks` | agents on the frameworks that people use |
//! | `given_to_agents` | what agents need of their callers: who they are, answers to calls, keys |
//! | `agent_behaviours` | our callers against such agents |
//! | `agent_habits` | our callers against the calibration agent with the habits of such agents |
//! | `live`, `stopping` | sessions that are watched, marked and stopped, also between their runs, and webhooks at their end |
//! | `dashboard` | metrics in a real Prometheus, which answers the dashboard for Grafana |
//! | `logging` | the log, and what must not be in it |
//! | `packaging` | archive, image, Debian package, workflows and manifests |
//! | `examples` | the programs in `examples/` |

#![expect(clippy::disallowed_methods, reason = "the binary and its peers live in real time")]

#[cfg(feature = "native")]
mod agent_behaviours;
#[cfg(feature = "native")]
mod agent_habits;
#[cfg(feature = "native")]
mod calibration_agent;
mod capacity;
mod command_line;
mod compare_and_merge;
#[cfg(feature = "native")]
mod connections;
#[cfg(feature = "fleet")]
mod dashboard;
mod doctor;
mod examples;
#[cfg(feature = "fleet")]
mod fleet;
#[cfg(feature = "fleet")]
mod fleet_sessions;
#[cfg(feature = "native")]
mod forged_journals;
mod frameworks;
#[cfg(feature = "native")]
mod given_to_agents;
#[cfg(feature = "native")]
mod hostile_input;
mod hostile_journals;
mod hostile_profiles;
#[cfg(feature = "native")]
mod hostile_rooms;
mod hostile_secrets;
mod hostile_services;
#[cfg(feature = "native")]
mod judging;
mod junit;
mod live;
mod logging;
#[cfg(feature = "fleet")]
mod many_machines;
#[cfg(feature = "native")]
mod media_paths;
#[cfg(feature = "native")]
mod native_callers;
#[cfg(feature = "fleet")]
mod nats;
#[cfg(feature = "fleet")]
mod nats_logins;
#[cfg(feature = "native")]
mod networks;
#[cfg(feature = "native")]
mod odd_networks;
mod older_journals;
mod packaging;
mod paired;
#[cfg(feature = "native")]
mod parsers;
#[cfg(feature = "native")]
mod participants;
mod peers;
#[cfg(feature = "native")]
mod quality;
#[cfg(feature = "native")]
mod recordings;
mod reports;
mod resilience;
mod resume;
mod sandbox;
mod schemas;
mod services;
mod sessions;
mod soak;
#[cfg(feature = "native")]
mod spoken_scripts;
mod stopping;
mod support;
mod sweep;
#[cfg(feature = "native")]
mod token_rooms;
mod transcripts;
#[cfg(feature = "native")]
mod trust_and_proxies;
#[cfg(feature = "fleet")]
mod worker_clocks;
#[cfg(feature = "fleet")]
mod worker_measure;
#[cfg(feature = "fleet")]
mod workers_input;
