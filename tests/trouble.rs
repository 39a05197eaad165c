//! Rushhour in trouble: whatever breaks around it, every run has one outcome, nothing is paid twice, rooms are
//! deleted, and what was recorded stays.

mod faults;
