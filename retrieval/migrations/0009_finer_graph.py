from django.db import migrations

# Built with more candidates than pgvector's usual 64: at 100,000 vectors recall@20 is 0.995 instead
# of 0.963 with as many looked at in a search (benchmarks/search.py).
GRAPH = """
    DROP INDEX embedding_graph;
    CREATE INDEX embedding_graph ON retrieval_embedding
    USING hnsw ((vector::vector(256)) vector_cosine_ops) WITH (ef_construction = {candidates})
    WHERE vector_dims(vector) = 256
"""


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0008_follow_engines")]

    operations = [
        migrations.RunSQL(GRAPH.format(candidates=128), GRAPH.format(candidates=64)),
    ]
