#![allow(unused)]

use onwire::net::Server;

struct Csms;

async fn serve(server: Server) {
    let _ = server.serve(Csms).await;
}

fn main() {}
