//! What `serve` says when it is ready.

use std::{fs, path::Path};

use bytesize::ByteSize;

use crate::{
    config::ServeConfig,
    process::terminal::{caution, label, note, program, title},
};

/// What a newcomer needs to know: the URL, where the data is, what bounds the votes, what to try.
pub(super) fn show(config: &ServeConfig, url: &str) {
    let (bound, uses, period) = ticket_bound(config);
    let urls = config.urls().unwrap_or_default();
    let folder = urls.votes.bus.bus_url.folder();
    let places = urls.places();
    let data = if let Some(folder) = folder {
        in_folder(folder)
    } else if places.is_empty() {
        let lost = caution("votes are lost when this process ends");
        format!("in memory: {lost}")
    } else {
        places.join(", ")
    };
    let program = program();
    note(&format!(
        "\n{title}\n\n  {data_label}     {data}\n  {tickets}  at most {bound} votes a second on average: {uses} \
         votes every {period} (--ticket-uses, --ticket-period)\n  {attempt}      {program} demo --url \
         {url}\n           {program} bench --url {url}\n\n",
        title = title(format!("{url}/graphql")),
        data_label = label("data"),
        tickets = label("tickets"),
        attempt = label("try"),
    ));
}

/// Where the votes are, and how much space they take.
fn in_folder(folder: &Path) -> String {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.into());
    let size = ByteSize::b(bytes.sum()).display().si();
    format!("{} ({size}); `--in-memory` keeps nothing", whole.display())
}

/// The votes a second that tickets allow, the uses of a ticket and its period.
fn ticket_bound(config: &ServeConfig) -> (String, u32, String) {
    let tickets = config.vote_api.tickets.settings();
    let bound = f64::from(tickets.uses) / tickets.period.as_secs_f64();
    let bound = if bound < 10.0 {
        format!("{bound:.1}")
    } else {
        format!("{bound:.0}")
    };
    let period = humantime::format_duration(tickets.period).to_string();
    (bound, tickets.uses, period)
}
