//! The documentation of the views says what is there, and its questions have answers.

use super::world::World;

super::in_both!(every_question_has_an_answer, every_view_and_column_is_described);

const DOCUMENT: &str = include_str!("../../../docs/sql.md");

/// What stands between the fences of SQL.
fn questions() -> Vec<&'static str> {
    let blocks = DOCUMENT.split("```sql\n").skip(1);
    blocks.map(|block| block.split_once("```").expect("a fence that ends").0).collect()
}

async fn every_question_has_an_answer(world: World) {
    let questions = questions();
    assert!(questions.len() >= 15, "only {} questions", questions.len());
    for question in questions {
        println!("{question}");
        world.run(question).await;
    }
}

/// Each view has a heading with its name, and below it a table with exactly its columns, in their order.
async fn every_view_and_column_is_described(world: World) {
    let views: Vec<_> =
        DOCUMENT.split("\n### ").skip(1).map(|part| part.split_once('\n').expect("a heading")).collect();
    let named: Vec<_> = views.iter().map(|(name, _)| name.trim_matches('`').to_owned()).collect();
    let mut sorted = named.clone();
    sorted.sort();
    assert_eq!(sorted, world.views().await);
    for (name, (_, text)) in named.iter().zip(&views) {
        let described: Vec<_> =
            text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(described, world.columns(name).await, "{name}");
    }
}
