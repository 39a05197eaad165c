//! A caller on a hand without sockets, at times of the tests': `scene` is the room it is in.

mod chat;
mod ends;
mod scene;
mod voice;
