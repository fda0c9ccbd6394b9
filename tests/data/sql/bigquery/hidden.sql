SELECT 1 AS `one` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' AND json_value(`predictions`.`inputs`['home']['postcode']) IS NOT NULL
 LIMIT 1;

SELECT 1 AS `one` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' AND `predictions`.`inputs` IS NOT NULL
 LIMIT 1;

SELECT 1 AS `one` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' AND json_value(SAFE.PARSE_JSON(CAST(`predictions`.`document` AS STRING), wide_number_mode => 'round')['email']) IS NOT NULL
 LIMIT 1;

SELECT 1 AS `one` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' AND `predictions`.`document` IS NOT NULL
 LIMIT 1;

SELECT count(*) AS `count_1` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00';

WITH `drawn` AS 
(SELECT CAST(`predictions`.`naive` AS STRING) AS `c0`, CAST(`predictions`.`day` AS STRING) AS `c1`, CAST(`predictions`.`zulu` AS STRING) AS `c2`, CAST(`predictions`.`mixed` AS STRING) AS `c3`, CAST(`predictions`.`version` AS STRING) AS `c4`, CAST(`predictions`.`distance` AS FLOAT64) AS `c5`, CAST(`predictions`.`seats` AS FLOAT64) AS `c6`, CAST(`predictions`.`written` AS STRING) AS `c7`, CAST(`predictions`.`carrier` AS STRING) AS `c8`, CAST(`predictions`.`late` AS STRING) AS `c9`, CAST(`predictions`.`postcode` AS STRING) AS `c10`, to_json_string(json_remove(SAFE.PARSE_JSON(CAST(to_json_string(`predictions`.`inputs`) AS STRING), wide_number_mode => 'round'), '$."home"."postcode"')) AS `c11`, to_json_string(json_remove(SAFE.PARSE_JSON(CAST(CAST(`predictions`.`document` AS STRING) AS STRING), wide_number_mode => 'round'), '$."email"')) AS `c12`, CAST(`predictions`.`we"ird\`\\; -- drop` AS STRING) AS `c13`, CAST((`predictions`.`nested` . `in`) . `we"ird\`\\; -- drop` AS STRING) AS `c14`, `predictions`.`ts` AS `c15`, collate(TO_HEX(MD5('0' || '\x1f' || coalesce(CAST(`predictions`.`id` AS STRING), ''))), '') AS `lot` 
FROM `logs`.`predictions` 
WHERE `predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' ORDER BY `lot`, `c0`, `c1`, `c2`, `c3`, `c4`, `c5`, `c6`, `c7`, `c8`, `c9`, `c10`, `c11`, `c12`, `c13`, `c14`, `c15`
 LIMIT 1000)
 SELECT `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`, `drawn`.`c4`, `drawn`.`c5`, `drawn`.`c6`, `drawn`.`c7`, `drawn`.`c8`, `drawn`.`c9`, `drawn`.`c10`, `drawn`.`c11`, `drawn`.`c12`, `drawn`.`c13`, `drawn`.`c14`, `drawn`.`c15` 
FROM `drawn` ORDER BY `drawn`.`lot`, `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`, `drawn`.`c4`, `drawn`.`c5`, `drawn`.`c6`, `drawn`.`c7`, `drawn`.`c8`, `drawn`.`c9`, `drawn`.`c10`, `drawn`.`c11`, `drawn`.`c12`, `drawn`.`c13`, `drawn`.`c14`, `drawn`.`c15`;

