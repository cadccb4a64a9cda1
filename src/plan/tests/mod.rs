//! Table tests of the planner's rules, and laws that hold for every plan.

mod audit;
mod gap;
mod gtm;
mod hold;
mod in_doubt;
mod laws;
mod loss;
mod own_conf;
mod placement;
mod preflight;
mod rules;
mod salvage;
mod seed;
mod split;
mod sync;
