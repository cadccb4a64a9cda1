//! The world's behaviour, one test per fact, named after the field notes it follows.

mod flavor;
mod gtm;
mod lab;
mod locks;
mod promotion;
mod rejoin;
mod routing;
mod rows;
mod sessions;
