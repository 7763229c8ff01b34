//! Scripts: one a verb, run where its keys are.

use redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Script, ScriptInvocation, ServerErrorKind,
    ToRedisArgs,
};

use super::cluster::Home;

/// The most calls sent at once: the answer to the last comes well within a response timeout.
const MAX_PIPELINE: usize = 512;

/// A verb's script.
pub(super) struct Verb {
    source: String,
    script: Script,
}

impl Verb {
    /// A verb that may write: Redis refuses it whole, before its first step, where it could not.
    pub(super) fn writing(common: &str, verb: &str) -> Self {
        Self::new("#!lua", common, verb)
    }

    /// A verb that writes nothing, which Redis runs also where it would refuse a write.
    pub(super) fn reading(common: &str, verb: &str) -> Self {
        Self::new("#!lua flags=no-writes", common, verb)
    }

    fn new(flags: &str, common: &str, verb: &str) -> Self {
        let source = format!("{flags}\n{common}\n{verb}");
        Self { script: Script::new(&source), source }
    }

    /// A call of the verb on `keys`.
    pub(super) fn on<'a>(&'a self, keys: &'a [String]) -> Call<'a> {
        Call { verb: self, keys, args: Vec::new() }
    }
}

/// A verb and what it is called with.
pub(super) struct Call<'a> {
    verb: &'a Verb,
    keys: &'a [String],
    args: Vec<Vec<u8>>,
}

impl Call<'_> {
    /// With one more argument, or several.
    pub(super) fn arg(mut self, arg: impl ToRedisArgs) -> Self {
        arg.write_redis_args(&mut self.args);
        self
    }

    /// Runs it. A node that does not know the script gets it from the client.
    pub(super) async fn run<T: FromRedisValue>(&self, home: &mut Home) -> RedisResult<T> {
        match self.invocation().invoke_async(home).await {
            // While a slot moves, the client loads the script at the old node and is sent on to the new one.
            Err(error) if is_no_script(&error) => self.with_source().query_async(home).await,
            answer => answer,
        }
    }

    fn invocation(&self) -> ScriptInvocation<'_> {
        let mut invocation = self.verb.script.prepare_invoke();
        for key in self.keys {
            invocation.key(key);
        }
        for arg in &self.args {
            invocation.arg(arg.as_slice());
        }
        invocation
    }

    fn with_source(&self) -> Cmd {
        let mut eval = redis::cmd("EVAL");
        eval.arg(&self.verb.source).arg(self.keys.len()).arg(self.keys);
        for arg in &self.args {
            eval.arg(arg.as_slice());
        }
        eval
    }
}

/// Runs the calls of one verb in their order, and answers each, or fails as a whole; then some may have been done.
pub(super) async fn run_all<T: FromRedisValue>(calls: &[Call<'_>], home: &mut Home) -> RedisResult<Vec<T>> {
    let mut answers = Vec::with_capacity(calls.len());
    for calls in calls.chunks(MAX_PIPELINE) {
        answers.append(&mut run_pipelined(calls, home).await?);
    }
    Ok(answers)
}

async fn run_pipelined<T: FromRedisValue>(calls: &[Call<'_>], home: &mut Home) -> RedisResult<Vec<T>> {
    let mut answer = pipeline(calls).query_async(home).await;
    if let Err(error) = &answer
        && is_no_script(error)
    {
        if let Some(call) = calls.first() {
            call.verb.script.load_async(home).await?;
        }
        answer = pipeline(calls).query_async(home).await;
    }
    match answer {
        // A redirection while a slot moves holds for the first command of a pipeline only.
        Err(error) if error.is_cluster_error() || is_no_script(&error) => {
            let mut answers = Vec::with_capacity(calls.len());
            for call in calls {
                answers.push(call.run(home).await?);
            }
            Ok(answers)
        }
        answer => answer,
    }
}

fn pipeline(calls: &[Call<'_>]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(calls.len());
    for call in calls {
        pipeline.invoke_script(&call.invocation());
    }
    pipeline
}

fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}
