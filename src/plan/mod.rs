//! What follows from a document, computed and never stored: the program, what is wrong, what it costs, how it is drawn.
//!
//! Pure functions of a document. Knows graph, layers and op; knows neither burn nor egui.

mod buffers;
mod columns;
mod compare;
mod cost;
mod diagnostic;
mod dtype;
mod fit;
mod heads;
mod held;
mod layout;
mod learning;
mod lower;
mod memory;
mod receptive;
mod regrouped;
mod remedies;
mod replay;
mod savings;
mod shares;
mod sight;

pub use buffers::{Buffer, buffers, own_most};
pub use compare::{Comparison, Fate, Kept, LayerDiff, LayerText, SettingDiff, compare, kept_weights};
pub use cost::{Cost, CostSettings, NodeCost, OpCost, Totals, cost};
pub use diagnostic::{Diagnostic, Fix, Gap, Severity};
pub use dtype::in_dtype;
pub use fit::{Fit, Sketch};
pub use heads::{HeadFault, check_head, judged};
pub use layout::{CARD, Card, Layout, Route, layout};
pub use lower::{NodePlan, Plan, plan, plan_graph};
pub use memory::{Breakdown, Engine, Memory, Moment, Pair, TOLERANCE};
pub use receptive::{Field, receptive_fields};
pub use regrouped::{Named, regrouped};
pub use remedies::{Remedy, RemedyKind, is_tight, remedies};
pub use savings::{Saving, SavingKind, savings};
pub use shares::{Part, Shares};
pub use sight::{Sight, sight};

#[cfg(test)]
mod tests;
