//! The world's behaviour, one test per fact.

mod flavor;
mod gtm;
mod lab;
mod locks;
mod promotion;
mod rejoin;
mod routing;
mod rows;
mod sessions;
