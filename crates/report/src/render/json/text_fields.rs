//! Typed findings of the analysis that JSON files hold as text.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};

use crate::compare::{ComparisonNote, FigureNote, ProfileDifference, Regression};
use crate::paired::{
    DifferenceNote, PairedAnswer, PairedFinding, PairedMeasure, PairedNote, PairedUnit,
};
use crate::render::file_wording::FileWording;
use crate::session::{ThresholdFigure, ValidityFigure, ValidityRule};

macro_rules! text_schema {
    ($($type:ty),* $(,)?) => { $(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                String::schema_name()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                String::json_schema(generator)
            }
        }
    )* };
}

macro_rules! serialized_by_display {
    ($($type:ty),* $(,)?) => { $(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        text_schema!($type);
    )* };
}

macro_rules! serialized_by_file_wording {
    ($($type:ty),* $(,)?) => { $(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&FileWording(self))
            }
        }

        text_schema!($type);
    )* };
}

serialized_by_display!(
    ComparisonNote,
    DifferenceNote,
    PairedAnswer,
    PairedFinding,
    PairedMeasure,
    PairedNote,
    PairedUnit,
    ProfileDifference,
    Regression,
    ThresholdFigure,
);
serialized_by_file_wording!(FigureNote, ValidityFigure, ValidityRule);
