//! placeholder until merge
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agent(bool);
impl Agent {
    pub fn is_automated(&self) -> bool {
        self.0
    }
}
#[derive(Clone, Debug)]
pub struct AgentTable;
impl AgentTable {
    pub fn builtin() -> Self {
        Self
    }
    pub fn classify(&self, ua: &[u8]) -> Agent {
        Agent(ua.starts_with(b"Googlebot"))
    }
}
impl AgentTable {
    pub fn with_lists<'a>(_: impl Iterator<Item = (String, &'a str)>) -> Result<Self, String> {
        Ok(Self)
    }
}
pub fn describe(a: &Agent) -> bool {
    a.0
}
impl AgentTable {
    pub fn version(&self) -> &str {
        "x"
    }
}
