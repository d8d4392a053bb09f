//! A table that reads well on a terminal and in Markdown.

/// The cells of one row; the first three are text, the others are numbers.
pub type Row = [String; 5];

/// Prints `rows` under `head`; a cell that repeats the one above it is left blank.
pub fn print(head: [&str; 5], rows: &[Row]) {
    let head = head.map(String::from);
    let mut widths = head.clone().map(|name| name.len());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    line(&head, &widths);
    let [a, b, c, d, e] = widths.map(|width| "-".repeat(width));
    println!("| {a} | {b} | {c} | {d}: | {e}: |");
    let mut above: Option<&Row> = None;
    for row in rows {
        let mut shown = row.clone();
        if let ([message, operation, ..], Some([message_above, operation_above, ..])) = (&mut shown, above)
            && message == message_above
        {
            message.clear();
            if operation == operation_above {
                operation.clear();
            }
        }
        line(&shown, &widths);
        above = Some(row);
    }
    println!();
}

fn line([a, b, c, d, e]: &Row, [aw, bw, cw, dw, ew]: &[usize; 5]) {
    println!("| {a:aw$} | {b:bw$} | {c:cw$} | {d:>dw$}  | {e:>ew$}  |");
}
