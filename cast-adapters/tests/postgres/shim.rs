use std::process::Command;
pub struct Postgres { url: String }
pub struct Database { name: String, url: String, server: String }
pub async fn postgres() -> Option<&'static Postgres> {
    static P: std::sync::OnceLock<Postgres> = std::sync::OnceLock::new();
    Some(P.get_or_init(|| Postgres { url: "postgres://postgres@127.0.0.1:25999/postgres".into() }))
}
fn psql(url: &str, sql: &str) -> String {
    let out = Command::new("psql").args(["-X","-q","-A","-t","-v","ON_ERROR_STOP=1","-d",url,"-c",sql]).output().unwrap();
    assert!(out.status.success(), "{sql}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim_end().to_owned()
}
impl Postgres {
    pub fn url(&self) -> &str { &self.url }
    pub async fn create_database(&self) -> Database {
        let name = format!("test_{:016x}", cast_testkit::Seed::random().get());
        psql(&self.url, &format!("CREATE DATABASE {name}"));
        Database { url: self.url.replace("/postgres?", "/x").rsplit_once('/').unwrap().0.to_owned() + "/" + &name, name, server: self.url.clone() }
    }
}
impl Database {
    pub fn url(&self) -> &str { &self.url }
    pub fn name(&self) -> &str { &self.name }
    pub async fn sql(&self, s: &str) -> String { let (u, s) = (self.url.clone(), s.to_owned()); tokio::task::spawn_blocking(move || psql(&u, &s)).await.unwrap() }
}
impl Drop for Database { fn drop(&mut self) { psql(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)); } }
