//! What a caller hears: packets of any streams in, beginnings and ends of speech out.

use super::super::participant::AudioPacket;
use super::listener::Listener;
use super::opus::OpusError;
use super::spurt::SpeechEdge;
use super::track::Track;
use crate::units::{Micros, SessionTime};

/// How long it must be silent for speech to have ended, where nothing else is set: longer than the pauses within words.
pub const DEFAULT_HANGOVER: Micros = Micros::from_millis(200);

/// How many streams are heard at a time; with one more, the one that has been quiet for longest is forgotten.
const MOST_TRACKS: usize = 4;

/// Hears whether one participant speaks, on however many tracks.
///
/// Packets are decoded only where an edge of speech may be, so edges are told late: beginnings by up to 200 ms, ends
/// by the hangover. The times they carry are exact to one packet all the same. In a stream that describes its
/// silence, a lone sound shorter than 160 ms whose packets are no larger than those of the silence may be missed.
#[derive(Debug)]
pub struct Hearing {
    hangover: Micros,
    listener: Listener,
    tracks: Vec<Track>,
    speaking: usize,
    latest_audible_at: SessionTime,
}

impl Hearing {
    /// An ear that has heard nothing yet. A pause shorter than `hangover` does not split speech.
    ///
    /// # Errors
    /// Where libopus finds no memory.
    pub fn new(hangover: Micros) -> Result<Self, OpusError> {
        Ok(Self {
            hangover,
            listener: Listener::new()?,
            tracks: Vec::new(),
            speaking: 0,
            latest_audible_at: SessionTime::START,
        })
    }

    /// Takes in a packet and tells the edges of speech that are known by now, in order.
    pub fn hear(&mut self, packet: &AudioPacket) -> Vec<SpeechEdge> {
        let mut told = Vec::new();
        let index = self.track_of(packet.ssrc, &mut told);
        let mut edges = Vec::new();
        self.tracks[index].take(packet, &mut self.listener, &mut edges);
        self.merge(&edges, &mut told);
        told
    }

    /// Time has come to `now`: tells what there is to tell although no packet came. Packets that arrived before `now`
    /// are to be heard first.
    pub fn tick(&mut self, now: SessionTime) -> Vec<SpeechEdge> {
        let mut told = Vec::new();
        let mut edges = Vec::new();
        for track in &mut self.tracks {
            track.pass(now, &mut self.listener, &mut edges);
        }
        self.merge(&edges, &mut told);
        told
    }

    /// When [`Self::tick`] has something to do, if no packet comes before; never is [`SessionTime::NEVER`].
    pub fn deadline(&self) -> SessionTime {
        let deadlines = self.tracks.iter().map(|track| track.deadline(self.hangover));
        deadlines.min().unwrap_or(SessionTime::NEVER)
    }

    /// Whether somebody speaks: since a beginning was told, and until its end is.
    pub const fn is_speaking(&self) -> bool {
        self.speaking > 0
    }

    /// While somebody speaks, the last moment at which that is known to have been heard.
    pub fn last_audible_at(&self) -> Option<SessionTime> {
        self.tracks.iter().filter_map(Track::last_audible_at).max()
    }

    /// How many packets have been decoded so far, which is what hearing costs.
    pub const fn decoded_packets(&self) -> u64 {
        self.listener.decoded()
    }

    fn track_of(&mut self, ssrc: u32, told: &mut Vec<SpeechEdge>) -> usize {
        if let Some(index) = self.tracks.iter().position(|track| track.ssrc() == ssrc) {
            return index;
        }
        if self.tracks.len() == MOST_TRACKS {
            let quietest = (0..MOST_TRACKS)
                .min_by_key(|index| self.tracks[*index].heard_at())
                .expect("there are some");
            let mut edges = Vec::new();
            self.tracks.swap_remove(quietest).finish(&mut self.listener, &mut edges);
            self.merge(&edges, told);
        }
        self.tracks.push(Track::new(ssrc, self.hangover));
        self.tracks.len() - 1
    }

    /// Speech on several tracks is one speech, from the first beginning to the last end.
    fn merge(&mut self, edges: &[SpeechEdge], told: &mut Vec<SpeechEdge>) {
        for edge in edges {
            match *edge {
                SpeechEdge::Started { at } => {
                    self.speaking += 1;
                    if self.speaking == 1 {
                        self.latest_audible_at = at;
                        told.push(*edge);
                    }
                }
                SpeechEdge::Ended { last_audible_at } => {
                    self.speaking -= 1;
                    self.latest_audible_at = self.latest_audible_at.max(last_audible_at);
                    if self.speaking == 0 {
                        let last_audible_at = self.latest_audible_at;
                        told.push(SpeechEdge::Ended { last_audible_at });
                    }
                }
            }
        }
    }
}
