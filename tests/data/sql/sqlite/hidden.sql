SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND CASE WHEN (json_valid("logs"."predictions"."inputs") = 0) THEN NULL WHEN (json_type("logs"."predictions"."inputs", '$."home"."postcode"') = 'true') THEN 'true' WHEN (json_type("logs"."predictions"."inputs", '$."home"."postcode"') = 'false') THEN 'false' WHEN (json_type("logs"."predictions"."inputs", '$."home"."postcode"') IS NOT NULL) THEN json_extract("logs"."predictions"."inputs", '$."home"."postcode"') END IS NOT NULL
 LIMIT 1 OFFSET 0;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND "logs"."predictions"."inputs" IS NOT NULL
 LIMIT 1 OFFSET 0;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND CASE WHEN (json_valid("logs"."predictions"."document") = 0) THEN NULL WHEN (json_type("logs"."predictions"."document", '$."email"') = 'true') THEN 'true' WHEN (json_type("logs"."predictions"."document", '$."email"') = 'false') THEN 'false' WHEN (json_type("logs"."predictions"."document", '$."email"') IS NOT NULL) THEN json_extract("logs"."predictions"."document", '$."email"') END IS NOT NULL
 LIMIT 1 OFFSET 0;

SELECT 1 AS one 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' AND "logs"."predictions"."document" IS NOT NULL
 LIMIT 1 OFFSET 0;

SELECT count(*) AS count_1 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00';

WITH drawn AS 
(SELECT CAST("logs"."predictions"."naive" AS TEXT) AS c0, CAST("logs"."predictions"."day" AS TEXT) AS c1, CAST("logs"."predictions"."zulu" AS TEXT) AS c2, CAST("logs"."predictions"."mixed" AS TEXT) AS c3, CAST("logs"."predictions"."version" AS TEXT) AS c4, CASE WHEN (typeof("logs"."predictions"."distance") = 'real') THEN "logs"."predictions"."distance" WHEN (typeof("logs"."predictions"."distance") = 'integer') THEN CAST("logs"."predictions"."distance" AS DOUBLE) END AS c5, CASE WHEN (typeof("logs"."predictions"."seats") = 'real') THEN "logs"."predictions"."seats" WHEN (typeof("logs"."predictions"."seats") = 'integer') THEN CAST("logs"."predictions"."seats" AS DOUBLE) END AS c6, CAST("logs"."predictions"."written" AS TEXT) AS c7, CAST("logs"."predictions"."carrier" AS TEXT) AS c8, CASE WHEN ("logs"."predictions"."late" = 1) THEN 'true' WHEN ("logs"."predictions"."late" = 0) THEN 'false' END AS c9, CAST("logs"."predictions"."postcode" AS TEXT) AS c10, CASE WHEN (json_valid(CAST("logs"."predictions"."inputs" AS TEXT)) = 1) THEN json_remove(CAST("logs"."predictions"."inputs" AS TEXT), '$."home"."postcode"') END AS c11, CASE WHEN (json_valid(CAST("logs"."predictions"."document" AS TEXT)) = 1) THEN json_remove(CAST("logs"."predictions"."document" AS TEXT), '$."email"') END AS c12, CAST("logs"."predictions"."we""ird`\; -- drop" AS TEXT) AS c13, "logs"."predictions"."ts" AS c14, md5(CASE typeof('0' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '')) WHEN 'text' THEN CAST('0' || '' || coalesce(CAST("logs"."predictions"."id" AS TEXT), '') AS BLOB) END) COLLATE "BINARY" AS lot 
FROM "logs"."predictions" 
WHERE "logs"."predictions"."ts" >= TIMESTAMP WITH TIME ZONE '2013-04-01 10:00:00+00:00' AND "logs"."predictions"."ts" < TIMESTAMP WITH TIME ZONE '2013-04-01 13:00:00+00:00' ORDER BY lot, c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14
 LIMIT 1000 OFFSET 0)
 SELECT drawn.c0, drawn.c1, drawn.c2, drawn.c3, drawn.c4, drawn.c5, drawn.c6, drawn.c7, drawn.c8, drawn.c9, drawn.c10, drawn.c11, drawn.c12, drawn.c13, drawn.c14 
FROM drawn ORDER BY drawn.lot, drawn.c0, drawn.c1, drawn.c2, drawn.c3, drawn.c4, drawn.c5, drawn.c6, drawn.c7, drawn.c8, drawn.c9, drawn.c10, drawn.c11, drawn.c12, drawn.c13, drawn.c14;

