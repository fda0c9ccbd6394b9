SELECT 1 AS `one` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' AND try_element_at(from_json(try_element_at(from_json(to_json(`logs`.`predictions`.`inputs`), 'map<string,string>'), 'home'), 'map<string,string>'), 'postcode') IS NOT NULL
 LIMIT 1;

SELECT 1 AS `one` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' AND `logs`.`predictions`.`inputs` IS NOT NULL
 LIMIT 1;

SELECT 1 AS `one` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' AND try_element_at(from_json(CAST(`logs`.`predictions`.`document` AS STRING), 'map<string,string>'), 'email') IS NOT NULL
 LIMIT 1;

SELECT 1 AS `one` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' AND `logs`.`predictions`.`document` IS NOT NULL
 LIMIT 1;

SELECT count(*) AS `count_1` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00';

WITH `drawn` AS 
(SELECT CAST(`logs`.`predictions`.`naive` AS STRING) AS `c0`, CAST(`logs`.`predictions`.`day` AS STRING) AS `c1`, CAST(`logs`.`predictions`.`zulu` AS STRING) AS `c2`, CAST(`logs`.`predictions`.`mixed` AS STRING) AS `c3`, CAST(`logs`.`predictions`.`version` AS STRING) AS `c4`, CAST(`logs`.`predictions`.`distance` AS DOUBLE) AS `c5`, CAST(`logs`.`predictions`.`seats` AS DOUBLE) AS `c6`, CAST(`logs`.`predictions`.`written` AS STRING) AS `c7`, CAST(`logs`.`predictions`.`carrier` AS STRING) AS `c8`, CAST(`logs`.`predictions`.`late` AS STRING) AS `c9`, CAST(`logs`.`predictions`.`postcode` AS STRING) AS `c10`, CAST(NULL AS STRING) AS `c11`, CAST(NULL AS STRING) AS `c12`, CAST(`logs`.`predictions`.`we"ird``\; -- drop` AS STRING) AS `c13`, CAST((`logs`.`predictions`.`nested` . `in`) . `we"ird``\; -- drop` AS STRING) AS `c14`, `logs`.`predictions`.`ts` AS `c15`, md5('0' || '' || coalesce(CAST(`logs`.`predictions`.`id` AS STRING), '')) AS `lot` 
FROM `logs`.`predictions` 
WHERE `logs`.`predictions`.`ts` >= TIMESTAMP '2013-04-01 10:00:00+00:00' AND `logs`.`predictions`.`ts` < TIMESTAMP '2013-04-01 13:00:00+00:00' ORDER BY `lot`, `c0`, `c1`, `c2`, `c3`, `c4`, `c5`, `c6`, `c7`, `c8`, `c9`, `c10`, `c11`, `c12`, `c13`, `c14`, `c15`
 LIMIT 1000)
 SELECT `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`, `drawn`.`c4`, `drawn`.`c5`, `drawn`.`c6`, `drawn`.`c7`, `drawn`.`c8`, `drawn`.`c9`, `drawn`.`c10`, `drawn`.`c11`, `drawn`.`c12`, `drawn`.`c13`, `drawn`.`c14`, `drawn`.`c15` 
FROM `drawn` ORDER BY `drawn`.`lot`, `drawn`.`c0`, `drawn`.`c1`, `drawn`.`c2`, `drawn`.`c3`, `drawn`.`c4`, `drawn`.`c5`, `drawn`.`c6`, `drawn`.`c7`, `drawn`.`c8`, `drawn`.`c9`, `drawn`.`c10`, `drawn`.`c11`, `drawn`.`c12`, `drawn`.`c13`, `drawn`.`c14`, `drawn`.`c15`;

