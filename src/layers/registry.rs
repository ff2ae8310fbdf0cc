//! The one list of layer kinds, and everything that follows from it: the [`Layer`] enum, reading, writing, dispatch.

use super::{
    About, Activation, Add, Arity, AvgPool, BatchNorm, Concat, Conv2d, ConvTranspose2d, Dense, Dropout, FieldVisitor,
    Flatten, GlobalAvgPool, GroupNorm, Input, LayerKind, LayerNorm, Lrn, MaxPool, Multiply, Residual, Upsample,
    ZeroPad,
};
use crate::op::{Lowering, Shape, ShapeError, ValueId};
use serde_json::Value;

macro_rules! layers {
    ($($kind:ident),+ $(,)?) => {
        /// A layer of any kind, with its settings.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Layer {
            $(#[doc = concat!("See [`", stringify!($kind), "`].")] $kind($kind)),+
        }

        impl Layer {
            /// One layer of every kind with its defaults, in the palette's order.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$kind($kind::default())),+]
            }

            /// The layer of a kind id with settings from a document; settings that are missing take their defaults.
            ///
            /// `None` if the kind is unknown.
            ///
            /// # Errors
            /// A message that names the field and what is wrong with it.
            pub fn from_json(id: &str, settings: Value) -> Option<Result<Self, String>> {
                $(
                    let default = $kind::default();
                    if default.about().id == id {
                        return Some(serde_json::from_value(settings).map(Self::$kind).map_err(|error| error.to_string()));
                    }
                )+
                None
            }

            /// The settings as a JSON object.
            pub fn to_json(&self) -> Value {
                match self {
                    $(Self::$kind(layer) => serde_json::to_value(layer).unwrap_or_default()),+
                }
            }

            fn kind(&self) -> &dyn LayerKind {
                match self {
                    $(Self::$kind(layer) => layer),+
                }
            }

            fn kind_mut(&mut self) -> &mut dyn LayerKind {
                match self {
                    $(Self::$kind(layer) => layer),+
                }
            }
        }

        $(
            impl From<$kind> for Layer {
                fn from(layer: $kind) -> Self {
                    Self::$kind(layer)
                }
            }
        )+
    };
}

layers! {
    Input,
    Conv2d,
    ConvTranspose2d,
    MaxPool,
    AvgPool,
    GlobalAvgPool,
    BatchNorm,
    LayerNorm,
    GroupNorm,
    Lrn,
    Dropout,
    Flatten,
    Dense,
    Activation,
    ZeroPad,
    Upsample,
    Add,
    Multiply,
    Concat,
    Residual,
}

impl Layer {
    /// The layer of a kind id with its defaults.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::all().into_iter().find(|layer| layer.about().id == id)
    }
}

impl LayerKind for Layer {
    fn about(&self) -> &'static About {
        self.kind().about()
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        self.kind_mut().fields(visitor);
    }

    fn arity(&self) -> Arity {
        self.kind().arity()
    }

    fn has_weights(&self) -> bool {
        self.kind().has_weights()
    }

    fn input_shape(&self) -> Option<Shape> {
        self.kind().input_shape()
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        self.kind().lower(lowering, inputs)
    }
}
